import { and, desc, eq, gt, isNull, type SQL, sql } from "drizzle-orm";
import { outbox } from "../../db/platform-schema.ts";
import { otpChallenges, verificationTokens } from "../../db/sign-in-schema.ts";
import { users } from "../../db/user-schema.ts";
import { commit } from "../../platform/data/commit.ts";
import { insertWhere, instantOf, mergeStatements, runBatch } from "../../platform/data/database.ts";
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
  attemptWindowEndsAt,
  blockedUntil,
  countNetworkAttempt,
  type NetworkClass,
  networkClassOf,
  networkMayAttempt,
  type OtpRequester,
  recordFailure,
  resetFailures,
  uncountNetworkAttempt,
} from "./otp-guard.store.ts";
import { otpLimits } from "./otp-limits.ts";

type StoreDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/**
 * Charges the attempt before comparing: increments the counters of the two newest live codes that have attempts left, and
 * records a failure; `consumeChallenge` reverses both. If the key is bound to another body, the attempt counts as a guess
 * at that body and is charged to the code behind it.
 *
 * @returns the codes to compare with, and the state after the attempt. `blockedUntil` (epoch ms, 0 if not locked) refuses
 *   the attempt only if it was not charged.
 */
export async function recordAttempt(
  deps: StoreDeps,
  identifier: Identifier,
  requester: OtpRequester,
  call: IdempotentCall | undefined,
) {
  const now = deps.now();
  const networkClass = networkClassOf(requester, now);
  const attempts = sql`case (${networkClass}) when 'familiar' then ${otpChallenges.triesFamiliar} else ${otpChallenges.triesOther} end`;
  const hasAttemptsLeft = sql`(${attempts}) < ${otpLimits.attemptsPerCode}`;
  const isAllowed = sql`(${blockedUntil(requester, now)} <= ${now} and ${networkMayAttempt(requester, now)})`;
  // Older codes cannot be live; the bound keeps the number of rows read small.
  const isRecent = gt(otpChallenges.createdAt, now - otpLimits.ttlMs);
  const newestLive = deps.db
    .select({ cid: otpChallenges.cid })
    .from(otpChallenges)
    .where(
      and(
        eq(otpChallenges.identifier, requester.identifier),
        isRecent,
        gt(otpChallenges.expiresAt, now),
        isNull(otpChallenges.consumedBy),
      ),
    )
    .orderBy(desc(otpChallenges.createdAt), desc(otpChallenges.cid))
    .limit(otpLimits.liveCodes);
  const charge = {
    chargedBy: deps.invocationId,
    triesFamiliar: sql`${otpChallenges.triesFamiliar} + ((${networkClass}) = 'familiar')`,
    triesOther: sql`${otpChallenges.triesOther} + ((${networkClass}) = 'other')`,
  };
  const challengeOfKey = call ? challengeOf(boundResultId(deps, call)) : sql`null`;
  // A code behind a bound key is at most one token lifetime older than a live code.
  const oldestCharged = now - otpLimits.ttlMs - otpLimits.verificationTokenTtlMs;
  const charged = sql`exists (select 1 from otp_challenges where identifier = ${requester.identifier}
    and created_at > ${oldestCharged} and charged_by = ${deps.invocationId})`;
  const isLocked = sql`(exists (select 1 from otp_network_guards
      where identifier = ${requester.identifier} and network = ${requester.network} and locked_by = ${deps.invocationId})
    or exists (select 1 from otp_class_guards where identifier = ${requester.identifier} and locked_by = ${deps.invocationId}))`;
  const { codes, counted, lockout, state, replayed, usedHere } = await runBatch(
    deps,
    mergeStatements(
      {
        codes: deps.db
          .update(otpChallenges)
          .set(charge)
          .where(
            sql`${otpChallenges.cid} in ${newestLive} and ${hasAttemptsLeft} and ${isAllowed} and not ${isBound(deps, call)}`,
          )
          .returning({ cid: otpChallenges.cid, codeHash: otpChallenges.codeHash, secretId: otpChallenges.secretId }),
        chargedBehindKey: call
          ? deps.db
              .update(otpChallenges)
              .set(charge)
              .where(
                sql`${otpChallenges.cid} = ${challengeOfKey} and ${hasAttemptsLeft} and ${isAllowed} and ${isBoundToOtherBody(deps, call)}`,
              )
          : undefined,
        // Comes before the failure, which may set a lock. A correct code reverses the count; a repeated call is not counted.
        counted: countNetworkAttempt(deps, requester.network, sql`${isAllowed} and not ${isBoundToBody(deps, call)}`),
      },
      recordFailure(deps, requester, charged),
      {
        lockout: recordEvent(
          deps,
          {
            type: "auth.lockout",
            userId: sql`(select id from users where ${isIdentifiedBy(identifier)})`,
            payload: JSON.stringify({ network: requester.network }),
            queue: "tasks",
          },
          sql`${isLocked} and exists (select 1 from users where ${isIdentifiedBy(identifier)})`,
        ),
        state: deps.db
          .select({
            networkClass: networkClass.as("network_class"),
            blockedUntil: blockedUntil(requester, now).as("blocked_until"),
            attemptWindowEndsAt: attemptWindowEndsAt(requester.network).as("guess_window_ends_at"),
            networkMayAttempt: sql<number>`${networkMayAttempt(requester, now)}`.as("may_network_guess"),
            failures: sql<number>`coalesce((select count(*) from otp_network_guards g, json_each(g.failures)
          where g.identifier = ${requester.identifier} and g.network = ${requester.network}
          and json_each.value > ${now - otpLimits.lock.perNetwork.windowMs}), 0)`.as("failures"),
            isLocked: sql<number>`${isLocked}`.as("is_locked"),
            isKeyReused: sql<number>`${isBoundToOtherBody(deps, call)}`.as("is_key_of_other_body"),
          })
          .from(sql`(select 1)`),
        usedHere: deps.db
          .select({ cid: otpChallenges.cid, codeHash: otpChallenges.codeHash, secretId: otpChallenges.secretId })
          .from(otpChallenges)
          .where(
            and(
              eq(otpChallenges.identifier, requester.identifier),
              isRecent,
              eq(otpChallenges.consumedNetwork, requester.network),
            ),
          )
          .orderBy(desc(otpChallenges.createdAt), desc(otpChallenges.cid))
          .limit(1),
        replayed: call
          ? deps.db
              .select()
              .from(verificationTokens)
              .where(
                sql`${eq(verificationTokens.id, boundResultId(deps, call))} and ${isBoundToBody(deps, call)} and ${isAllowed}
              and exists (select 1 from otp_challenges where cid = ${verificationTokens.challengeId} and ${hasAttemptsLeft})`,
              )
          : undefined,
      },
    ),
  );
  const [found] = state;
  if (!found) throw new Error("a SELECT without FROM gave no row");
  const isCounted = counted.length > 0;
  const more = { network: requester.network, chargedAt: now, lockout, replayed: replayed?.[0], usedHere: usedHere[0] };
  return { codes, ...found, isCounted, ...more };
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
 * Consumes the challenge and every other live one of the identifier, issues one verification token and resets the failures
 * of the network class, in one transaction. Its first statement decides which of several correct attempts gets the token.
 *
 * @returns whether the identifier has an account; undefined if another attempt was first.
 */
export async function consumeChallenge(
  deps: StoreDeps,
  identifier: Identifier,
  attempt: { networkClass: NetworkClass; network: string; chargedAt: number; lockout: OutboxRow[] },
  cid: string,
  token: NewVerificationToken,
  call: IdempotentCall | undefined,
): Promise<{ hasAccount: boolean } | undefined> {
  const now = deps.now();
  const expiresAt = now + otpLimits.verificationTokenTtlMs;
  const isThisChallenge = sql`cid = ${cid} and consumed_by = ${deps.invocationId}`;
  const isConsumed = sql`exists (select 1 from otp_challenges where ${isThisChallenge})`;
  const reads = {
    consumedRow: deps.db.select({ cid: otpChallenges.cid }).from(otpChallenges).where(isThisChallenge),
    account: deps.db.select({ id: users.id }).from(users).where(isIdentifiedBy(identifier)),
  };
  const writes = mergeStatements(
    {
      consumed: deps.db
        .update(otpChallenges)
        // From now on the counters count attempts at the body of a bound key.
        .set({
          consumedBy: deps.invocationId,
          consumedAt: instantOf(now),
          consumedNetwork: attempt.network,
          triesFamiliar: 0,
          triesOther: 0,
        })
        .where(
          sql`${eq(otpChallenges.cid, cid)} and ${isNull(otpChallenges.consumedBy)} and not ${isBound(deps, call)}`,
        ),
      consumedOthers: deps.db
        .update(otpChallenges)
        .set({ consumedBy: deps.invocationId, consumedAt: instantOf(now) })
        .where(
          and(
            eq(otpChallenges.identifier, identifier.value),
            gt(otpChallenges.createdAt, now - otpLimits.ttlMs),
            isNull(otpChallenges.consumedBy),
            isConsumed,
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
        isConsumed,
      ),
    },
    resetFailures(deps, identifier.value, attempt.networkClass, isConsumed),
    {
      networkAttempt: uncountNetworkAttempt(deps, attempt.network, attempt.chargedAt, isConsumed),
      // The attempt that set the lock turned out to be correct.
      withdrawnLockout:
        attempt.lockout[0] && deps.db.delete(outbox).where(and(eq(outbox.id, attempt.lockout[0].id), isConsumed)),
      bind: bindKey(deps, call, { id: token.id, expiresAt }, isConsumed),
    },
  );
  const { consumedRow, account } = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ consumedRow }) => consumedRow.length > 0,
  });
  return consumedRow.length > 0 ? { hasAccount: account.length > 0 } : undefined;
}

/** Whether the identifier has an account. Only for callers who have verified the identifier. */
export async function hasAccount(deps: Pick<Deps, "db" | "log">, identifier: Identifier): Promise<boolean> {
  const { account } = await runBatch(deps, {
    account: deps.db.select({ id: users.id }).from(users).where(isIdentifiedBy(identifier)),
  });
  return account.length > 0;
}
