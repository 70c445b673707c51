import { type SQL, sql } from "drizzle-orm";
import { networkGuessLimits, otpChallenges, otpClassGuards, otpNetworkGuards } from "../../db/sign-in-schema.ts";
import { insertWhere, instantOf, literal } from "../../platform/data/database.ts";
import type { BuilderDeps, Value } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";
import { rememberNetwork } from "../device/new-device.store.ts";
import { isCreatedAfter } from "./cid.ts";
import { otpLimits } from "./otp-limits.ts";

/** The source of a request or attempt: the identifier and the client's network, or placeholders for them. */
export interface OtpRequester {
  identifier: Value<string>;
  network: Value<string>;
}

export type NetworkClass = "familiar" | "other";

type GuardDeps = Pick<BuilderDeps, "db" | "now" | "invocationId">;

/** The identifier signed in from this network during the last 90 days. */
export function isKnownNetwork({ identifier, network }: OtpRequester, now: Value<number>): SQL {
  return sql`exists (select 1 from familiar_networks where identifier = ${identifier} and network = ${network}
    and last_sign_in_at > ${now} - ${literal(otpLimits.knownNetworkMs)})`;
}

/** The class of the requester's network: `familiar` if it is known, else `other`. */
export function networkClassOf(requester: OtpRequester, now: Value<number>): SQL<NetworkClass> {
  return sql`case when ${isKnownNetwork(requester, now)} then 'familiar' else 'other' end`;
}

/**
 * When this identifier and network are unlocked (epoch ms); 0 or a past time if not locked. Locks expire after 7 days
 * without an attempt.
 */
export function blockedUntil(requester: OtpRequester, now: Value<number>): SQL<number> {
  const { hardLockoutAfter, resetAfterMs } = otpLimits.lock;
  const fresh = sql`last_guess_at > ${now} - ${literal(resetAfterMs)}`;
  return sql`max(
    coalesce((select locked_until from otp_network_guards
      where identifier = ${requester.identifier} and network = ${requester.network} and ${fresh}), 0),
    coalesce((select max(locked_until, case when streak >= ${literal(hardLockoutAfter)} then last_guess_at + ${literal(resetAfterMs)} else 0 end)
      from otp_class_guards where identifier = ${requester.identifier} and network_class = (${networkClassOf(requester, now)}) and ${fresh}), 0))`;
}

/** Makes the requester's network known if `condition` holds, and moves the codes it requested to that class. */
export function trustNetwork(deps: BuilderDeps, requester: OtpRequester, condition: SQL) {
  return {
    knownNetwork: rememberNetwork(deps, requester.identifier, requester.network, condition),
    requestedCodes: deps.db
      .update(otpChallenges)
      .set({ networkClass: "familiar" })
      .where(
        sql`${otpChallenges.identifier} = ${requester.identifier} and ${otpChallenges.network} = ${requester.network}
          and ${isCreatedAfter(sql`${deps.now()} - ${otpLimits.send.perClassDaily.windowMs}`)}
          and ${otpChallenges.networkClass} = 'other' and ${condition}`,
      ),
  };
}

/** Wrong attempts of the network in its current window, at any identifiers. */
export function attemptsOfNetwork(network: Value<string>, now: Value<number>): SQL<number> {
  const { windowMs } = otpLimits.attemptsPerNetwork;
  return sql`coalesce((select guesses from network_guess_limits
    where network = ${network} and window_started_at > ${now} - ${literal(windowMs)}), 0)`;
}

/** When the network's current window of attempts ends (epoch ms); 0 if there is none. */
export function attemptWindowEndsAt(network: Value<string>): SQL<number> {
  return sql`coalesce((select window_started_at + ${literal(otpLimits.attemptsPerNetwork.windowMs)} from network_guess_limits
    where network = ${network}), 0)`;
}

/**
 * The network may attempt a code of the identifier: it has attempts left in its window, or it requested a live code
 * itself and that code is among the first few of its window. The exception exists because many people share a carrier's
 * network.
 */
export function networkMayAttempt(requester: OtpRequester, now: Value<number>): SQL {
  const { attemptsPerNetwork, requestedCodesPerNetwork, ttlMs } = otpLimits;
  return sql`(${attemptsOfNetwork(requester.network, now)} < ${literal(attemptsPerNetwork.count)}
    or exists (select 1 from otp_challenges where identifier = ${requester.identifier} and ${isCreatedAfter(sql`${now} - ${literal(ttlMs)}`)}
      and network = ${requester.network} and network_rank <= ${literal(requestedCodesPerNetwork.count)} and consumed_by is null))`;
}

/** Counts a wrong attempt against its network if `condition` holds; returns a row if counted. */
export function countNetworkAttempt(deps: GuardDeps, network: Value<string>, condition: SQL) {
  const now = deps.now();
  const isOver = sql`${networkGuessLimits.windowStartedAt} <= ${now} - ${literal(otpLimits.attemptsPerNetwork.windowMs)}`;
  return insertWhere(deps, networkGuessLimits, { network, windowStartedAt: now, guesses: 1 }, condition)
    .onConflictDoUpdate({
      target: networkGuessLimits.network,
      set: {
        guesses: sql`case when ${isOver} then 1 else ${networkGuessLimits.guesses} + 1 end`,
        windowStartedAt: sql`case when ${isOver} then excluded.window_started_at else ${networkGuessLimits.windowStartedAt} end`,
      },
    })
    .returning({ network: networkGuessLimits.network });
}

/**
 * SQL for a failure at `now`, given a JSON array of earlier failure times. `count`: number of failures in the window,
 * including this one. `withNow`: the array of those failures.
 */
function failureList(column: SQL, windowMs: number, now: Value<number>) {
  const recent = sql`select value from json_each(${column}) where value > ${now} - ${literal(windowMs)}`;
  return {
    count: sql`(select count(*) + 1 from (${recent}))`,
    withNow: sql`(select json_group_array(value) from (${recent} union all select ${instantOf(now)}))`,
  };
}

/**
 * Records a failure of the requester if `isFailure` holds. Locks the network after 5 failures in 5 minutes and its
 * class after 20 in a day. Also counts the consecutive failures, from which `blockedUntil` derives the hard lockout.
 * `locked_by` names the invocation whose failure began any of these locks.
 */
export function recordFailure(deps: GuardDeps, requester: OtpRequester, isFailure: SQL) {
  const now = deps.now();
  const { perNetwork, perClass, hardLockoutAfter, resetAfterMs } = otpLimits.lock;
  const first = sql`json_array(${instantOf(now)})`;

  const network = otpNetworkGuards;
  const networkIsStale = sql`${network.lastGuessAt} <= ${now} - ${literal(resetAfterMs)}`;
  const ofNetwork = failureList(sql`${network.failures}`, perNetwork.windowMs, now);
  const networkLocks = sql`(not ${networkIsStale} and ${ofNetwork.count} >= ${literal(perNetwork.count)})`;
  const lockMs = sql`min(${literal(perNetwork.longestMs)}, ${literal(perNetwork.firstMs)} * (1 << min(${network.lockCount}, 20)))`;

  const ofClassTable = otpClassGuards;
  const classIsStale = sql`${ofClassTable.lastGuessAt} <= ${now} - ${literal(resetAfterMs)}`;
  const ofClass = failureList(sql`${ofClassTable.failures}`, perClass.windowMs, now);
  const classLocks = sql`(not ${classIsStale} and ${ofClass.count} >= ${literal(perClass.count)})`;
  const isHardLockout = sql`(not ${classIsStale} and ${ofClassTable.streak} + 1 >= ${literal(hardLockoutAfter)})`;

  return {
    networkFailure: insertWhere(
      deps,
      network,
      {
        identifier: requester.identifier,
        network: requester.network,
        failures: first,
        lockCount: 0,
        lockedUntil: 0,
        lastGuessAt: now,
      },
      isFailure,
    ).onConflictDoUpdate({
      target: [network.identifier, network.network],
      set: {
        failures: sql`case when ${networkIsStale} then ${first} when ${networkLocks} then '[]' else ${ofNetwork.withNow} end`,
        lockedUntil: sql`case when ${networkLocks} then ${instantOf(now)} + ${lockMs} when ${networkIsStale} then 0
          else ${network.lockedUntil} end`,
        lockedBy: sql`case when ${networkLocks} then ${deps.invocationId} end`,
        lockCount: sql`case when ${networkIsStale} then 0 else ${network.lockCount} + ${networkLocks} end`,
        lastGuessAt: now,
      },
    }),
    classFailure: insertWhere(
      deps,
      ofClassTable,
      {
        identifier: requester.identifier,
        networkClass: networkClassOf(requester, now),
        failures: first,
        streak: 1,
        lockedUntil: 0,
        lastGuessAt: now,
      },
      isFailure,
    ).onConflictDoUpdate({
      target: [ofClassTable.identifier, ofClassTable.networkClass],
      set: {
        failures: sql`case when ${classIsStale} then ${first} when ${classLocks} then '[]' else ${ofClass.withNow} end`,
        streak: sql`case when ${classIsStale} then 1 else ${ofClassTable.streak} + 1 end`,
        lockedUntil: sql`case when ${classLocks} then ${instantOf(now)} + ${literal(perClass.lockMs)} when ${classIsStale} then 0
          else ${ofClassTable.lockedUntil} end`,
        lockedBy: sql`case when ${classLocks} or ${isHardLockout} then ${deps.invocationId} end`,
        lastGuessAt: now,
      },
    }),
  };
}

/**
 * Resets the failures of the requester's network class if `condition` holds, and lifts a hard lockout of the other
 * class. Writes nothing if there are no failures.
 */
export function resetFailures(deps: GuardDeps, requester: OtpRequester, condition: SQL) {
  const { identifier } = requester;
  const now = deps.now();
  const isKnown = sql`exists (select 1 from familiar_networks f where f.identifier = ${identifier}
    and f.network = ${otpNetworkGuards.network} and f.last_sign_in_at > ${now} - ${literal(otpLimits.knownNetworkMs)})`;
  return {
    resetNetworks: deps.db
      .delete(otpNetworkGuards)
      .where(
        sql`${otpNetworkGuards.identifier} = ${identifier} and ${isKnown} = ${isKnownNetwork(requester, now)} and ${condition}`,
      ),
    resetClasses: deps.db.delete(otpClassGuards).where(
      sql`${otpClassGuards.identifier} = ${identifier} and ${condition}
          and (${otpClassGuards.networkClass} = (${networkClassOf(requester, now)})
          or ${otpClassGuards.streak} >= ${literal(otpLimits.lock.hardLockoutAfter)})`,
    ),
  };
}

/** Lifts hard lockouts of the user's identifiers if `condition` holds: the user has signed in by other means. */
export function liftHardLockout(deps: Pick<Deps, "db">, userId: SQL, condition: SQL) {
  return {
    liftedLockouts: deps.db.delete(otpClassGuards).where(
      sql`identifier in (select value from users u, json_each(json_array(u.email, u.phone_number))
          where u.id = ${userId} and value is not null) and streak >= ${otpLimits.lock.hardLockoutAfter} and ${condition}`,
    ),
  };
}
