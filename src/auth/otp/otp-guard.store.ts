import { type SQL, sql } from "drizzle-orm";
import { networkGuessLimits, otpChallenges, otpClassGuards, otpNetworkGuards } from "../../db/sign-in-schema.ts";
import { insertWhere, instantOf } from "../../platform/data/database.ts";
import { before, type StatementDeps } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";
import { rememberNetwork } from "../device/new-device.store.ts";
import { otpLimits } from "./otp-limits.ts";

/** Who guesses or asks: the identifier, and the network the request came from. */
export interface OtpRequester {
  identifier: string;
  network: string;
}

export type NetworkClass = "familiar" | "other";

type GuardDeps = Pick<Deps, "db" | "now" | "invocationId">;

/** Holds where the identifier signed in from this network during the last 90 days. */
export function isFamiliar({ identifier, network }: OtpRequester, now: number): SQL {
  return sql`exists (select 1 from familiar_networks where identifier = ${identifier} and network = ${network}
    and last_sign_in_at > ${before(now, otpLimits.familiarMs)})`;
}

/** The class that the party's network belongs to. */
export function classOf(party: OtpRequester, now: number): SQL<NetworkClass> {
  return sql`case when ${isFamiliar(party, now)} then 'familiar' else 'other' end`;
}

/** The instant until which the party may neither guess nor ask; 0 when it may. Guards without a guess for 7 days are void. */
export function blockedUntil(party: OtpRequester, now: number): SQL<number> {
  const { closedAfter, forgottenAfterMs } = otpLimits.lock;
  const fresh = sql`last_guess_at > ${now - forgottenAfterMs}`;
  return sql`max(
    coalesce((select locked_until from otp_network_guards
      where identifier = ${party.identifier} and network = ${party.network} and ${fresh}), 0),
    coalesce((select max(locked_until, case when streak >= ${closedAfter} then last_guess_at + ${forgottenAfterMs} else 0 end)
      from otp_class_guards where identifier = ${party.identifier} and network_class = (${classOf(party, now)}) and ${fresh}), 0))`;
}

/** The statements that make the party's network familiar where `condition` holds; it takes its own sends along. */
export function trustNetwork(deps: StatementDeps, party: OtpRequester, condition: SQL) {
  return {
    familiarNetwork: rememberNetwork(deps, party.identifier, party.network, condition),
    ownSends: deps.db
      .update(otpChallenges)
      .set({ networkClass: "familiar" })
      .where(
        sql`${otpChallenges.identifier} = ${party.identifier} and ${otpChallenges.network} = ${party.network}
          and ${otpChallenges.createdAt} > ${before(deps.now(), otpLimits.send.perClassDaily.windowMs)}
          and ${otpChallenges.networkClass} = 'other' and ${condition}`,
      ),
  };
}

/** Wrong guesses that the network has made in its running window, at any identifiers. */
export function guessesOfNetwork(network: string, now: number): SQL<number> {
  const { windowMs } = otpLimits.guessesPerNetwork;
  return sql`coalesce((select guesses from network_guess_limits
    where network = ${network} and window_started_at > ${now - windowMs}), 0)`;
}

/** The instant at which the network's running window of guesses ends. */
export function guessWindowEndsAt(network: string): SQL<number> {
  return sql`coalesce((select window_started_at + ${otpLimits.guessesPerNetwork.windowMs} from network_guess_limits
    where network = ${network}), 0)`;
}

/**
 * Holds where the network may guess at a code of the identifier: it has guesses left in its window, or it asked for a code
 * itself, and that is one of the first few it asked for lately. Many people share a carrier's network.
 */
export function networkMayGuess(party: OtpRequester, now: number): SQL {
  const { guessesPerNetwork, ownCodesPerNetwork, ttlMs } = otpLimits;
  return sql`(${guessesOfNetwork(party.network, now)} < ${guessesPerNetwork.count}
    or exists (select 1 from otp_challenges where identifier = ${party.identifier} and created_at > ${now - ttlMs}
      and network = ${party.network} and consumed_by is null
      and cid in (select cid from otp_challenges where network = ${party.network}
        and created_at > ${now - ownCodesPerNetwork.windowMs} order by created_at, rowid limit ${ownCodesPerNetwork.count})))`;
}

/** The statement that counts a guess against its network where `condition` holds; it returns a row where it does. */
export function countNetworkGuess(deps: GuardDeps, network: string, condition: SQL) {
  const now = deps.now();
  const isOver = sql`${networkGuessLimits.windowStartedAt} <= ${now - otpLimits.guessesPerNetwork.windowMs}`;
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

/** The statement that takes a guess counted at `countedAt` back where `condition` holds, while its window lasts. */
export function takeBackNetworkGuess(deps: GuardDeps, network: string, countedAt: number, condition: SQL) {
  return deps.db
    .update(networkGuessLimits)
    .set({ guesses: sql`${networkGuessLimits.guesses} - 1` })
    .where(
      sql`${networkGuessLimits.network} = ${network} and ${networkGuessLimits.guesses} > 0
        and ${networkGuessLimits.windowStartedAt} <= ${countedAt} and ${condition}`,
    );
}

/** SQL about a JSON array of instants: those after `since`, and `now` behind them. */
function failureList(column: SQL, since: number, now: number) {
  const recent = sql`select value from json_each(${column}) where value > ${since}`;
  return {
    count: sql`(select count(*) + 1 from (${recent}))`,
    withNow: sql`(select json_group_array(value) from (${recent} union all select ${instantOf(now)}))`,
  };
}

/**
 * The statements that record a failure of the party where `charged` holds, before the guess is compared; a right guess
 * takes them back. They set the locks: per network after 5 in 5 minutes, per class after 20 in a day.
 */
export function recordFailure(deps: GuardDeps, party: OtpRequester, charged: SQL) {
  const now = deps.now();
  const { perNetwork, perClass, forgottenAfterMs } = otpLimits.lock;
  const first = sql`json_array(${instantOf(now)})`;

  const network = otpNetworkGuards;
  const networkIsStale = sql`${network.lastGuessAt} <= ${now - forgottenAfterMs}`;
  const ofNetwork = failureList(sql`${network.failures}`, now - perNetwork.windowMs, now);
  const networkLocks = sql`(not ${networkIsStale} and ${ofNetwork.count} >= ${perNetwork.count})`;
  const lockMs = sql`min(${perNetwork.longestMs}, ${perNetwork.firstMs} * (1 << min(${network.lockCount}, 20)))`;

  const ofClassTable = otpClassGuards;
  const classIsStale = sql`${ofClassTable.lastGuessAt} <= ${now - forgottenAfterMs}`;
  const ofClass = failureList(sql`${ofClassTable.failures}`, now - perClass.windowMs, now);
  const classLocks = sql`(not ${classIsStale} and ${ofClass.count} >= ${perClass.count})`;

  return {
    networkFailure: insertWhere(
      deps,
      network,
      {
        identifier: party.identifier,
        network: party.network,
        failures: first,
        lockCount: 0,
        lockedUntil: 0,
        lastGuessAt: now,
      },
      charged,
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
        identifier: party.identifier,
        networkClass: classOf(party, now),
        failures: first,
        streak: 1,
        lockedUntil: 0,
        lastGuessAt: now,
      },
      charged,
    ).onConflictDoUpdate({
      target: [ofClassTable.identifier, ofClassTable.networkClass],
      set: {
        failures: sql`case when ${classIsStale} then ${first} when ${classLocks} then '[]' else ${ofClass.withNow} end`,
        streak: sql`case when ${classIsStale} then 1 else ${ofClassTable.streak} + 1 end`,
        lockedUntil: sql`case when ${classLocks} then ${instantOf(now + perClass.lockMs)} when ${classIsStale} then 0
          else ${ofClassTable.lockedUntil} end`,
        lockedBy: sql`case when ${classLocks} then ${deps.invocationId} end`,
        lastGuessAt: now,
      },
    }),
  };
}

/** The statements that forget the failures of the party's class where `condition` holds, and open the other class if it is closed. */
export function resetFailures(deps: GuardDeps, identifier: string, networkClass: NetworkClass, condition: SQL) {
  const isFamiliar = sql`exists (select 1 from familiar_networks f where f.identifier = ${identifier}
    and f.network = ${otpNetworkGuards.network} and f.last_sign_in_at > ${deps.now() - otpLimits.familiarMs})`;
  const ofThisClass = networkClass === "familiar" ? isFamiliar : sql`not ${isFamiliar}`;
  return {
    forgivenNetworks: deps.db
      .delete(otpNetworkGuards)
      .where(sql`${otpNetworkGuards.identifier} = ${identifier} and ${ofThisClass} and ${condition}`),
    forgivenClasses: deps.db.delete(otpClassGuards).where(
      sql`${otpClassGuards.identifier} = ${identifier} and ${condition} and (${otpClassGuards.networkClass} = ${networkClass}
          or ${otpClassGuards.streak} >= ${otpLimits.lock.closedAfter})`,
    ),
  };
}

/** The statements that open the closed classes of the user's identifiers where `condition` holds: they signed in otherwise. */
export function liftHardLockout(deps: Pick<Deps, "db">, userId: SQL, condition: SQL) {
  return {
    openedClasses: deps.db.delete(otpClassGuards).where(
      sql`identifier in (select value from users u, json_each(json_array(u.email, u.phone_number))
          where u.id = ${userId} and value is not null) and streak >= ${otpLimits.lock.closedAfter} and ${condition}`,
    ),
  };
}
