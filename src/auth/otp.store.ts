import { and, desc, eq, gt, isNull, type SQL, sql } from "drizzle-orm";
import { otpChallenges, users, verificationTokens } from "../db/schema.ts";
import type { Locale } from "../platform/client.ts";
import { inOneTrip, insertWhere, withDeadline } from "../platform/database.ts";
import type { Deps } from "../platform/deps.ts";
import {
  bindKey,
  boundResultId,
  findBinding,
  type IdempotentCall,
  isBound,
  isBoundToBody,
  isBoundToOtherBody,
} from "../platform/idempotency.ts";
import { describeError } from "../platform/log.ts";
import { recordEvent } from "../platform/outbox.ts";
import { type Identifier, isIdentifiedBy } from "../users/identifier.ts";
import {
  blockedUntil,
  classOf,
  countNetworkGuess,
  forgiveFailures,
  guessesOfNetwork,
  instantOf,
  type NetworkClass,
  type Party,
  recordFailure,
} from "./otp-guard.store.ts";
import { otpLimits } from "./otp-limits.ts";

type StoreDeps = Pick<Deps, "db" | "now" | "newId" | "attemptId" | "log">;

const codeKey = (cid: string) => `otp:${cid}`;
/** How long a guess waits for KV before the ledger's own hash is used, in milliseconds. */
const KV_DEADLINE_MS = 1_000;

/** The instant from which the next code may be sent to the party, all limits considered. */
function nextSendAt(party: Party, now: number): SQL<number> {
  const { gapsMs, perNetwork, perClass, perClassDaily } = otpLimits.send;
  const ofIdentifier = sql`from otp_challenges where identifier = ${party.identifier}`;
  // A network that has just become familiar brings its own sends along.
  const ofClass = sql`${ofIdentifier} and (network_class = (${classOf(party, now)}) or network = ${party.network})`;
  const ofNetwork = sql`${ofIdentifier} and network = ${party.network}`;
  // Where the nth newest is younger than the window, the window is full until that one leaves it.
  const fullUntil = (rows: SQL, { count, windowMs }: { count: number; windowMs: number }) =>
    sql`coalesce((select created_at + ${windowMs} ${rows} order by created_at desc limit 1 offset ${count - 1}), 0)`;
  const gap = sql`case (select count(*) ${ofClass} and created_at > ${now - perClass.windowMs})
    when 0 then 0 when 1 then ${gapsMs[0]} when 2 then ${gapsMs[1]} when 3 then ${gapsMs[2]} else ${gapsMs[3]} end`;
  return sql`max(
    coalesce((select max(created_at) ${ofClass}), 0) + ${gap},
    ${fullUntil(ofNetwork, perNetwork)}, ${fullUntil(ofClass, perClass)}, ${fullUntil(ofClass, perClassDaily)},
    ${blockedUntil(party, now)})`;
}

export interface NewChallenge {
  cid: string;
  codeHash: string;
  secretId: string;
  /** Payload of the message's event; undefined when nothing is to be sent. */
  message: { payload: string; locale: Locale } | undefined;
}

/**
 * Records a code, if the limits allow another one now, with the event that carries it to its reader; one transaction.
 * The statements are the same whether or not the identifier has an account.
 *
 * @returns `created` is undefined when no code was made; `next_send_at` is an instant in milliseconds.
 */
export async function insertChallenge(
  deps: StoreDeps,
  identifier: Identifier,
  party: Party,
  challenge: NewChallenge,
  call: IdempotentCall | undefined,
) {
  const now = deps.now();
  const made = sql`exists (select 1 from otp_challenges where cid = ${challenge.cid})`;
  const { message } = challenge;
  const locale = sql`coalesce((select locale from users where ${isIdentifiedBy(identifier)}), ${message?.locale ?? null})`;
  const waitSeconds = sql`cast(ceil((${nextSendAt(party, now)} - ${now}) / 1000.0) as integer)`;
  const { created, event, state, binding } = await inOneTrip(deps, {
    created: insertWhere(
      deps,
      otpChallenges,
      {
        cid: challenge.cid,
        identifier: party.identifier,
        network: party.network,
        networkClass: classOf(party, now),
        codeHash: challenge.codeHash,
        secretId: challenge.secretId,
        createdAt: now,
        expiresAt: now + otpLimits.ttlMs,
        triesFamiliar: 0,
        triesOther: 0,
      },
      sql`${nextSendAt(party, now)} <= ${now} and not ${isBound(deps, call)}`,
    ).returning({ cid: otpChallenges.cid }),
    event: message
      ? recordEvent(
          deps,
          {
            type: "otp.requested",
            payload: sql`json_set(${message.payload}, '$.locale', ${locale})`,
            queue: "otp",
            eraseAt: now + otpLimits.ttlMs,
          },
          made,
        )
      : undefined,
    bind: bindKey(deps, call, { id: challenge.cid, number: waitSeconds, expiresAt: nextSendAt(party, now) }, made),
    state: deps.db
      .select({
        nextSendAt: nextSendAt(party, now).as("next_send_at"),
        sentByNetwork: sql<number>`(select count(*) from otp_challenges where identifier = ${party.identifier}
          and network = ${party.network} and created_at > ${now - otpLimits.send.perNetwork.windowMs})`.as(
          "sent_by_network",
        ),
      })
      .from(sql`(select 1)`),
    binding: findBinding(deps, call),
  });
  const [counted] = state;
  if (!counted) throw new Error("a SELECT without FROM gave no row");
  return { created: created[0], events: event ?? [], ...counted, binding: binding?.[0] };
}

/** Puts the code's hash where guesses look first; when that fails, the ledger's copy serves. */
export async function storeCodeHash(deps: Pick<Deps, "kv" | "log">, cid: string, codeHash: string): Promise<void> {
  try {
    await deps.kv.put(codeKey(cid), codeHash, { expirationTtl: otpLimits.ttlMs / 1000 });
  } catch (error) {
    deps.log.warn("code_hash_not_stored", { reason: describeError(error) });
  }
}

/** The hashes of several codes in one call to KV; a code that KV does not have, or not yet, is missing from the map. */
export async function findCodeHashes(deps: Pick<Deps, "kv" | "log">, cids: string[]): Promise<Map<string, string>> {
  try {
    const found = await withDeadline(deps.kv.get(cids.map(codeKey)), KV_DEADLINE_MS);
    return new Map(
      cids.flatMap((cid) => {
        const hash = found.get(codeKey(cid));
        return hash === null || hash === undefined ? [] : [[cid, hash] as const];
      }),
    );
  } catch (error) {
    deps.log.warn("code_hashes_unreadable", { reason: describeError(error) });
    return new Map();
  }
}

/**
 * Pays for a guess before anything is compared: a try of each of the two newest live codes that has one left, and a
 * failure in the guards, all taken back by `consumeChallenge`. Where the key is bound to another body, the guess is at
 * that body, and costs a try of the code behind it.
 *
 * @returns the codes to compare with, and the state after the charge: `blockedUntil` (milliseconds, 0 when free) counts
 *   only where nothing was charged.
 */
export async function chargeGuess(deps: StoreDeps, party: Party, call: IdempotentCall | undefined) {
  const now = deps.now();
  const networkClass = classOf(party, now);
  const tries = sql`case (${networkClass}) when 'familiar' then ${otpChallenges.triesFamiliar} else ${otpChallenges.triesOther} end`;
  const hasTries = sql`(${tries}) < ${otpLimits.triesPerCode}`;
  const mayGuess = sql`${blockedUntil(party, now)} <= ${now}
    and ${guessesOfNetwork(party.network, now)} <= ${otpLimits.guessesPerNetwork.count}`;
  const newestLive = deps.db
    .select({ cid: otpChallenges.cid })
    .from(otpChallenges)
    .where(
      and(
        eq(otpChallenges.identifier, party.identifier),
        gt(otpChallenges.expiresAt, now),
        isNull(otpChallenges.consumedBy),
      ),
    )
    .orderBy(desc(otpChallenges.createdAt), desc(otpChallenges.cid))
    .limit(otpLimits.liveCodes);
  const pay = {
    chargedBy: deps.attemptId,
    triesFamiliar: sql`${otpChallenges.triesFamiliar} + ((${networkClass}) = 'familiar')`,
    triesOther: sql`${otpChallenges.triesOther} + ((${networkClass}) = 'other')`,
  };
  const behindKey = call ? challengeOf(boundResultId(deps, call)) : sql`null`;
  const charged = sql`exists (select 1 from otp_challenges where identifier = ${party.identifier} and charged_by = ${deps.attemptId})`;
  const { codes, state, replayed } = await inOneTrip(deps, {
    counted: countNetworkGuess(deps, party.network),
    codes: deps.db
      .update(otpChallenges)
      .set(pay)
      .where(sql`${otpChallenges.cid} in ${newestLive} and ${hasTries} and ${mayGuess} and not ${isBound(deps, call)}`)
      .returning({ cid: otpChallenges.cid, codeHash: otpChallenges.codeHash, secretId: otpChallenges.secretId }),
    chargedBehindKey: call
      ? deps.db
          .update(otpChallenges)
          .set(pay)
          .where(
            sql`${otpChallenges.cid} = ${behindKey} and ${hasTries} and ${mayGuess} and ${isBoundToOtherBody(deps, call)}`,
          )
      : undefined,
    ...recordFailure(deps, party, charged),
    state: deps.db
      .select({
        networkClass: networkClass.as("network_class"),
        blockedUntil: blockedUntil(party, now).as("blocked_until"),
        guessesOfNetwork: guessesOfNetwork(party.network, now).as("guesses_of_network"),
        failures: sql<number>`coalesce((select count(*) from otp_network_guards g, json_each(g.failures)
          where g.identifier = ${party.identifier} and g.network = ${party.network}
          and json_each.value > ${now - otpLimits.lock.perNetwork.windowMs}), 0)`.as("failures"),
        isLocked:
          sql<number>`exists (select 1 from otp_network_guards where identifier = ${party.identifier} and locked_by = ${deps.attemptId})
          or exists (select 1 from otp_class_guards where identifier = ${party.identifier} and locked_by = ${deps.attemptId})`.as(
            "is_locked",
          ),
        isKeyOfOtherBody: sql<number>`${isBoundToOtherBody(deps, call)}`.as("is_key_of_other_body"),
      })
      .from(sql`(select 1)`),
    replayed: call
      ? deps.db
          .select()
          .from(verificationTokens)
          .where(
            sql`${eq(verificationTokens.id, boundResultId(deps, call))} and ${isBoundToBody(deps, call)} and ${mayGuess}
              and exists (select 1 from otp_challenges where cid = ${verificationTokens.challengeId} and ${hasTries})`,
          )
      : undefined,
  });
  const [counted] = state;
  if (!counted) throw new Error("a SELECT without FROM gave no row");
  return { codes, ...counted, replayed: replayed?.[0] };
}

function challengeOf(tokenId: SQL): SQL {
  return sql`(select challenge_id from verification_tokens where id = ${tokenId})`;
}

/** Tells the account's owner, if there is one, that guessing was locked; the lock itself stands already. */
export async function recordLockout(deps: StoreDeps, identifier: Identifier, party: Party): Promise<void> {
  await inOneTrip(deps, {
    event: recordEvent(
      deps,
      {
        type: "auth.lockout",
        userId: sql`(select id from users where ${isIdentifiedBy(identifier)})`,
        payload: JSON.stringify({ network: party.network }),
      },
      sql`exists (select 1 from users where ${isIdentifiedBy(identifier)})`,
    ),
  });
}

export interface NewVerificationToken {
  id: string;
  tokenHash: string;
  secretId: string;
}

/**
 * Burns the challenge, and every other live one of the identifier, for one verification token; forgives the failures of
 * the class. One transaction, decided by the first statement: of parallel right guesses one gets the token.
 *
 * @returns undefined when another guess was first; else whether the identifier has an account.
 */
export async function consumeChallenge(
  deps: StoreDeps,
  identifier: Identifier,
  networkClass: NetworkClass,
  cid: string,
  token: NewVerificationToken,
  call: IdempotentCall | undefined,
): Promise<{ hasAccount: boolean } | undefined> {
  const now = deps.now();
  const expiresAt = now + otpLimits.verificationTokenTtlMs;
  const isConsumedHere = sql`exists (select 1 from otp_challenges where cid = ${cid} and consumed_by = ${deps.attemptId})`;
  const reads = {
    made: deps.db
      .select({ id: verificationTokens.id })
      .from(verificationTokens)
      .where(eq(verificationTokens.id, token.id)),
    account: deps.db.select({ id: users.id }).from(users).where(isIdentifiedBy(identifier)),
  };
  const writes = {
    consumed: deps.db
      .update(otpChallenges)
      // From here on tries are spent on guesses at the body of a bound key.
      .set({ consumedBy: deps.attemptId, consumedAt: instantOf(now), triesFamiliar: 0, triesOther: 0 })
      .where(sql`${eq(otpChallenges.cid, cid)} and ${isNull(otpChallenges.consumedBy)} and not ${isBound(deps, call)}`),
    burned: deps.db
      .update(otpChallenges)
      .set({ consumedBy: deps.attemptId, consumedAt: instantOf(now) })
      .where(and(eq(otpChallenges.identifier, identifier.value), isNull(otpChallenges.consumedBy), isConsumedHere)),
    token: insertWhere(
      deps,
      verificationTokens,
      {
        id: token.id,
        tokenHash: token.tokenHash,
        secretId: token.secretId,
        identifier: identifier.value,
        challengeId: cid,
        createdAt: now,
        expiresAt,
      },
      isConsumedHere,
    ),
    ...forgiveFailures(deps, identifier.value, networkClass, isConsumedHere),
    bind: bindKey(deps, call, { id: token.id, expiresAt }, isConsumedHere),
  };
  const { made, account } = await inOneTrip(deps, { ...writes, ...reads }).catch((error) =>
    // The batch may stand although its answer was lost: the token's own id tells.
    inOneTrip(deps, reads).then((found) => {
      if (found.made.length === 0) throw error;
      return found;
    }),
  );
  return made.length > 0 ? { hasAccount: account.length > 0 } : undefined;
}

/** Whether the identifier has an account; told only to who has proved the identifier. */
export async function hasAccount(deps: Pick<Deps, "db" | "log">, identifier: Identifier): Promise<boolean> {
  const { account } = await inOneTrip(deps, {
    account: deps.db.select({ id: users.id }).from(users).where(isIdentifiedBy(identifier)),
  });
  return account.length > 0;
}
