import { and, eq, gt, isNull, sql } from "drizzle-orm";
import { outbox } from "../../db/platform-schema.ts";
import { otpChallenges, verificationTokens } from "../../db/sign-in-schema.ts";
import { users } from "../../db/user-schema.ts";
import { commit } from "../../platform/data/commit.ts";
import { insertWhere, instantOf, mergeStatements, runBatch } from "../../platform/data/database.ts";
import { bindKey, type IdempotentCall, isBound } from "../../platform/data/idempotency.ts";
import type { OutboxRow } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { type NetworkClass, resetFailures, uncountNetworkAttempt } from "./otp-guard.store.ts";
import { otpLimits } from "./otp-limits.ts";

type StoreDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

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
          sealedCode: null,
          consumedNetwork: attempt.network,
          triesFamiliar: 0,
          triesOther: 0,
        })
        .where(
          sql`${eq(otpChallenges.cid, cid)} and ${isNull(otpChallenges.consumedBy)} and not ${isBound(deps, call)}`,
        ),
      consumedOthers: deps.db
        .update(otpChallenges)
        .set({ consumedBy: deps.invocationId, consumedAt: instantOf(now), sealedCode: null })
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
