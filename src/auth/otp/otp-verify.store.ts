import { and, desc, eq, gt, isNull, type SQL, sql } from "drizzle-orm";
import { otpChallenges, verificationTokens } from "../../db/sign-in-schema.ts";
import { mergeStatements, runBatch } from "../../platform/data/database.ts";
import {
  boundResultId,
  type IdempotentCall,
  isBound,
  isBoundToBody,
  isBoundToOtherBody,
} from "../../platform/data/idempotency.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import {
  attemptWindowEndsAt,
  blockedUntil,
  countNetworkAttempt,
  networkClassOf,
  networkMayAttempt,
  type OtpRequester,
  recordFailure,
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
