import { type SQL, sql } from "drizzle-orm";
import { otpChallenges } from "../../db/sign-in-schema.ts";
import { queueCodes } from "../../delivery/deliver-code.ts";
import { MAX_UNCERTAIN_ATTEMPTS, PUBLISH_AFTER_MS } from "../../delivery/delivery-record.ts";
import { runBatch } from "../../platform/data/database.ts";
import { isOneOf } from "../../platform/data/first-rows.ts";
import { hasQueriesLeft } from "../../platform/data/query-count.ts";
import type { Deps } from "../../platform/deps.ts";
import { MINUTE_MS } from "../../platform/time.ts";
import { firstCidAt } from "./cid.ts";
import { otpLimits } from "./otp-limits.ts";

// Waiting codes are found by the time in their primary key. An index of them would be written with every code, and
// writing a row costs as much as reading it a thousand times.

/** Messages per statement: the most that one `sendBatch` accepts. */
const PUBLISHED_PER_STATEMENT = 100;
/** Maximum codes per statement, and statements per tick: together twice the codes of 100 sign-ins per second. */
const erased = { perStatement: 1_000, statements: 12 };
/** For how long after its expiry the minute tick looks for a sealed code; `purge_expired_rows` erases older ones. */
const ERASED_WITHIN_MS = 10 * MINUTE_MS;

/** The row is one of the first `limit` rows after the cid `from` that have a sealed code and satisfy `condition`. */
const firstFrom = (from: string, condition: SQL, limit: number) =>
  isOneOf(
    otpChallenges,
    sql`where cid > ${from} and sealed_code is not null and ${condition} order by cid limit ${limit}`,
  );

/**
 * Sends to the queue the messages of unexpired codes that neither their request nor the queue has settled, because the
 * isolate died or the queue failed. A message is skipped while its claim is held and for 30 seconds after it was sent
 * to the queue, so concurrent ticks send one copy.
 *
 * @returns the number of messages that the queue accepted.
 */
export async function publishWaitingCodes(
  deps: Pick<Deps, "db" | "now" | "log" | "queues" | "queries">,
): Promise<number> {
  let total = 0;
  let from = firstCidAt(deps.now() - otpLimits.ttlMs);
  while (hasQueriesLeft(deps)) {
    const now = deps.now();
    const isWaiting = sql`undeliverable_at is null and expires_at > ${now} and publish_at <= ${now}
      and claimed_until <= ${now} and send_attempts < ${MAX_UNCERTAIN_ATTEMPTS}`;
    const { codes } = await runBatch(deps, {
      codes: deps.db
        .update(otpChallenges)
        .set({ publishAt: now + PUBLISH_AFTER_MS })
        .where(firstFrom(from, isWaiting, PUBLISHED_PER_STATEMENT))
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
    from = codes.reduce((last, { cid }) => (cid > last ? cid : last), from);
  }
  return total;
}

/**
 * Erases the sealed codes that expired unsent within the last ten minutes, at most 12,000 per call.
 *
 * @returns the number of erased codes.
 */
export async function eraseExpiredCodes(deps: Pick<Deps, "db" | "now" | "log">): Promise<number> {
  let total = 0;
  let from = firstCidAt(deps.now() - otpLimits.ttlMs - ERASED_WITHIN_MS);
  for (let statement = 0; statement < erased.statements; statement++) {
    const cids = await eraseChunk(deps, from);
    total += cids.length;
    if (cids.length < erased.perStatement) break;
    from = cids.reduce((last, cid) => (cid > last ? cid : last), from);
  }
  return total;
}

/** Erases the first codes after `from` that have expired, and returns their cids. */
async function eraseChunk(deps: Pick<Deps, "db" | "now" | "log">, from: string): Promise<string[]> {
  const hasExpired = sql`cid < ${firstCidAt(deps.now() - otpLimits.ttlMs + 1)}`;
  const { found } = await runBatch(deps, {
    found: deps.db
      .update(otpChallenges)
      .set({ sealedCode: null })
      .where(firstFrom(from, hasExpired, erased.perStatement))
      .returning({ cid: otpChallenges.cid }),
  });
  return found.map(({ cid }) => cid);
}
