import { inArray, sql } from "drizzle-orm";
import { otpChallenges } from "../../db/sign-in-schema.ts";
import { queueCodes } from "../../delivery/deliver-code.ts";
import { MAX_UNCERTAIN_ATTEMPTS, PUBLISH_AFTER_MS } from "../../delivery/delivery-record.ts";
import { runBatch } from "../../platform/data/database.ts";
import { hasQueriesLeft } from "../../platform/data/query-count.ts";
import type { Deps } from "../../platform/deps.ts";
import { otpLimits } from "./otp-limits.ts";

/** Messages per statement: the most that one `sendBatch` accepts. */
const PUBLISHED_PER_STATEMENT = 100;
/** Maximum codes per statement and statements per tick: twice the codes of 100 sign-ins per second. */
const erased = { perStatement: 1_000, statements: 12 };

/**
 * Sends the messages of unexpired codes to the queue that neither their request nor the queue has settled: the isolate
 * died, or the queue failed. A message is left alone while somebody holds its claim, and for 30 seconds after it was
 * sent to the queue, so concurrent ticks send one copy.
 *
 * @returns the number of messages that the queue accepted.
 */
export async function publishWaitingCodes(
  deps: Pick<Deps, "db" | "now" | "log" | "queues" | "queries">,
): Promise<number> {
  let total = 0;
  while (hasQueriesLeft(deps)) {
    const now = deps.now();
    const waiting = deps.db
      .select({ cid: otpChallenges.cid })
      .from(otpChallenges)
      .where(
        sql`${otpChallenges.createdAt} > ${now - otpLimits.ttlMs} and ${otpChallenges.sealedCode} is not null
          and ${otpChallenges.undeliverableAt} is null and ${otpChallenges.expiresAt} > ${now}
          and ${otpChallenges.publishAt} <= ${now} and ${otpChallenges.claimedUntil} <= ${now}
          and ${otpChallenges.sendAttempts} < ${MAX_UNCERTAIN_ATTEMPTS}`,
      )
      .limit(PUBLISHED_PER_STATEMENT);
    const { codes } = await runBatch(deps, {
      codes: deps.db
        .update(otpChallenges)
        .set({ publishAt: now + PUBLISH_AFTER_MS })
        .where(inArray(otpChallenges.cid, waiting))
        .returning({
          cid: otpChallenges.cid,
          to: otpChallenges.identifier,
          createdAt: otpChallenges.createdAt,
          expiresAt: otpChallenges.expiresAt,
        }),
    });
    const accepted = codes.length === 0 ? 0 : await queueCodes(deps, codes);
    total += accepted;
    // If the queue is down, a later tick tries again.
    if (codes.length < PUBLISHED_PER_STATEMENT || accepted === 0) break;
  }
  return total;
}

/**
 * Erases the sealed codes that have expired unsent, at most 12,000 per call.
 *
 * @returns the number of erased codes.
 */
export async function eraseExpiredCodes(deps: Pick<Deps, "db" | "now" | "log">): Promise<number> {
  let total = 0;
  for (let statement = 0; statement < erased.statements; statement++) {
    const count = await eraseChunk(deps);
    total += count;
    if (count < erased.perStatement) break;
  }
  return total;
}

async function eraseChunk(deps: Pick<Deps, "db" | "now" | "log">): Promise<number> {
  const expired = deps.db
    .select({ cid: otpChallenges.cid })
    .from(otpChallenges)
    .where(
      sql`${otpChallenges.sealedCode} is not null and ${otpChallenges.createdAt} <= ${deps.now() - otpLimits.ttlMs}`,
    )
    .limit(erased.perStatement);
  const { found } = await runBatch(deps, {
    found: deps.db
      .update(otpChallenges)
      .set({ sealedCode: null })
      .where(inArray(otpChallenges.cid, expired))
      .returning({ cid: otpChallenges.cid }),
  });
  return found.length;
}
