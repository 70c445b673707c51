import { and, desc, eq, gt, isNull, type SQL, sql } from "drizzle-orm";
import { outbox } from "../../db/platform-schema.ts";
import { otpChallenges, verificationTokens } from "../../db/sign-in-schema.ts";
import { users } from "../../db/user-schema.ts";
import { commit } from "../../platform/data/commit.ts";
import { insertWhere, instantOf, runBatch } from "../../platform/data/database.ts";
import {
  bindKey,
  boundResultId,
  type IdempotentCall,
  isBound,
  isBoundToBody,
  isBoundToOtherBody,
} from "../../platform/data/idempotency.ts";
import { type OutboxRow, recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import {
  blockedUntil,
  classOf,
  countNetworkGuess,
  guessWindowEndsAt,
  type NetworkClass,
  networkMayGuess,
  type OtpRequester,
  recordFailure,
  resetFailures,
  takeBackNetworkGuess,
} from "./otp-guard.store.ts";
import { otpLimits } from "./otp-limits.ts";

type StoreDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/**
 * Pays for a guess before anything is compared: a try of each of the two newest live codes that has one left, and a
 * failure in the guards, all taken back by `consumeChallenge`. Where the key is bound to another body, the guess is at
 * that body, and costs a try of the code behind it.
 *
 * @returns the codes to compare with, and the state after the charge: `blockedUntil` (milliseconds, 0 when free) counts
 *   only where nothing was charged.
 */
export async function recordAttempt(
  deps: StoreDeps,
  identifier: Identifier,
  party: OtpRequester,
  call: IdempotentCall | undefined,
) {
  const now = deps.now();
  const networkClass = classOf(party, now);
  const tries = sql`case (${networkClass}) when 'familiar' then ${otpChallenges.triesFamiliar} else ${otpChallenges.triesOther} end`;
  const hasTries = sql`(${tries}) < ${otpLimits.triesPerCode}`;
  const mayGuess = sql`(${blockedUntil(party, now)} <= ${now} and ${networkMayGuess(party, now)})`;
  // No code that was made before this can be live: it bounds every look at the identifier's ledger.
  const isRecent = gt(otpChallenges.createdAt, now - otpLimits.ttlMs);
  const newestLive = deps.db
    .select({ cid: otpChallenges.cid })
    .from(otpChallenges)
    .where(
      and(
        eq(otpChallenges.identifier, party.identifier),
        isRecent,
        gt(otpChallenges.expiresAt, now),
        isNull(otpChallenges.consumedBy),
      ),
    )
    .orderBy(desc(otpChallenges.createdAt), desc(otpChallenges.cid))
    .limit(otpLimits.liveCodes);
  const pay = {
    chargedBy: deps.invocationId,
    triesFamiliar: sql`${otpChallenges.triesFamiliar} + ((${networkClass}) = 'familiar')`,
    triesOther: sql`${otpChallenges.triesOther} + ((${networkClass}) = 'other')`,
  };
  const behindKey = call ? challengeOf(boundResultId(deps, call)) : sql`null`;
  // A code behind a bound key is older than a live one by its token's life at most.
  const oldestCharged = now - otpLimits.ttlMs - otpLimits.verificationTokenTtlMs;
  const charged = sql`exists (select 1 from otp_challenges where identifier = ${party.identifier}
    and created_at > ${oldestCharged} and charged_by = ${deps.invocationId})`;
  const isLocked = sql`(exists (select 1 from otp_network_guards
      where identifier = ${party.identifier} and network = ${party.network} and locked_by = ${deps.invocationId})
    or exists (select 1 from otp_class_guards where identifier = ${party.identifier} and locked_by = ${deps.invocationId}))`;
  const { codes, counted, lockout, state, replayed } = await runBatch(deps, {
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
    // Before the failure is recorded, which may lock. A right guess takes its count back; a repeated one is not counted.
    counted: countNetworkGuess(deps, party.network, sql`${mayGuess} and not ${isBoundToBody(deps, call)}`),
    ...recordFailure(deps, party, charged),
    lockout: recordEvent(
      deps,
      {
        type: "auth.lockout",
        userId: sql`(select id from users where ${isIdentifiedBy(identifier)})`,
        payload: JSON.stringify({ network: party.network }),
        queue: "tasks",
      },
      sql`${isLocked} and exists (select 1 from users where ${isIdentifiedBy(identifier)})`,
    ),
    state: deps.db
      .select({
        networkClass: networkClass.as("network_class"),
        blockedUntil: blockedUntil(party, now).as("blocked_until"),
        guessWindowEndsAt: guessWindowEndsAt(party.network).as("guess_window_ends_at"),
        mayNetworkGuess: sql<number>`${networkMayGuess(party, now)}`.as("may_network_guess"),
        failures: sql<number>`coalesce((select count(*) from otp_network_guards g, json_each(g.failures)
          where g.identifier = ${party.identifier} and g.network = ${party.network}
          and json_each.value > ${now - otpLimits.lock.perNetwork.windowMs}), 0)`.as("failures"),
        isLocked: sql<number>`${isLocked}`.as("is_locked"),
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
  const [found] = state;
  if (!found) throw new Error("a SELECT without FROM gave no row");
  const isCounted = counted.length > 0;
  return { codes, ...found, isCounted, network: party.network, chargedAt: now, lockout, replayed: replayed?.[0] };
}

function challengeOf(tokenId: SQL): SQL {
  return sql`(select challenge_id from verification_tokens where id = ${tokenId})`;
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
  charge: { networkClass: NetworkClass; network: string; chargedAt: number; lockout: OutboxRow[] },
  cid: string,
  token: NewVerificationToken,
  call: IdempotentCall | undefined,
): Promise<{ hasAccount: boolean } | undefined> {
  const now = deps.now();
  const expiresAt = now + otpLimits.verificationTokenTtlMs;
  const own = sql`cid = ${cid} and consumed_by = ${deps.invocationId}`;
  const isConsumedHere = sql`exists (select 1 from otp_challenges where ${own})`;
  const reads = {
    made: deps.db.select({ cid: otpChallenges.cid }).from(otpChallenges).where(own),
    account: deps.db.select({ id: users.id }).from(users).where(isIdentifiedBy(identifier)),
  };
  const writes = {
    consumed: deps.db
      .update(otpChallenges)
      // From here on tries are spent on guesses at the body of a bound key.
      .set({ consumedBy: deps.invocationId, consumedAt: instantOf(now), triesFamiliar: 0, triesOther: 0 })
      .where(sql`${eq(otpChallenges.cid, cid)} and ${isNull(otpChallenges.consumedBy)} and not ${isBound(deps, call)}`),
    burned: deps.db
      .update(otpChallenges)
      .set({ consumedBy: deps.invocationId, consumedAt: instantOf(now) })
      .where(
        and(
          eq(otpChallenges.identifier, identifier.value),
          gt(otpChallenges.createdAt, now - otpLimits.ttlMs),
          isNull(otpChallenges.consumedBy),
          isConsumedHere,
        ),
      ),
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
    ...resetFailures(deps, identifier.value, charge.networkClass, isConsumedHere),
    uncounted: takeBackNetworkGuess(deps, charge.network, charge.chargedAt, isConsumedHere),
    // The guess that set the lock was right after all.
    forgottenLockout:
      charge.lockout[0] && deps.db.delete(outbox).where(and(eq(outbox.id, charge.lockout[0].id), isConsumedHere)),
    bind: bindKey(deps, call, { id: token.id, expiresAt }, isConsumedHere),
  };
  const { made, account } = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ made }) => made.length > 0,
  });
  return made.length > 0 ? { hasAccount: account.length > 0 } : undefined;
}

/** Whether the identifier has an account; told only to who has proved the identifier. */
export async function hasAccount(deps: Pick<Deps, "db" | "log">, identifier: Identifier): Promise<boolean> {
  const { account } = await runBatch(deps, {
    account: deps.db.select({ id: users.id }).from(users).where(isIdentifiedBy(identifier)),
  });
  return account.length > 0;
}
