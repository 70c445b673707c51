import { type SQL, sql } from "drizzle-orm";
import { otpLimits } from "../auth/otp/otp-limits.ts";
import { dayOf, hourOf, hourStartsAt } from "../nepal.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../platform/time.ts";
import { figuresOf, pendingKyc, storeHour } from "../staff/figures/metrics.store.ts";
import type { Chunk, Job, JobDeps } from "./engine/job.ts";
import { findJobCursor, keepJobCursor } from "./engine/job-cursor.store.ts";

const NAME = "count_hours";
/** How long after its end an hour is counted: until then its last codes may still be entered and used. */
const SETTLED_MS = otpLimits.ttlMs + otpLimits.verificationTokenTtlMs;
/** Missed hours are counted later, as far back as all their codes are still stored; see `retention.ts`. */
const MAX_BACK_MS = DAY_MS - HOUR_MS;

/**
 * Stores the figures of each whole hour in Kathmandu, one hour per chunk. They are counted from rows that exist for
 * other reasons, so sign-ups and sign-ins write nothing extra. The next run also counts up to 23 missed hours.
 */
export const countHours: Job = {
  name: NAME,
  everyMs: HOUR_MS,
  // Hours in Kathmandu end a quarter past the hour in UTC.
  offsetMs: 15 * MINUTE_MS + SETTLED_MS + MINUTE_MS,
  async planChunk(deps, cursor, fence) {
    const last = hourStartsAt(deps.now() - SETTLED_MS) - HOUR_MS;
    const hour = cursor === null ? await firstUncounted(deps, last) : Number(cursor);
    return hour > last ? nothingToCount(deps) : countHour(deps, hour, last, fence);
  },
};

/** The start of the hour after the last counted one, at most 23 hours back. */
async function firstUncounted(deps: JobDeps, last: number): Promise<number> {
  const counted = Number((await findJobCursor(deps, NAME)) || "0");
  return Math.max(counted, last - MAX_BACK_MS + HOUR_MS);
}

function nothingToCount(deps: JobDeps): Chunk {
  const changed = deps.db.select({ one: sql`1` }).from(sql`(select 1)`).where(sql`false`);
  return { statements: { changed }, next: () => undefined };
}

function countHour(deps: JobDeps, hour: number, last: number, fence: SQL): Chunk {
  const following = hour + HOUR_MS;
  const counted = figuresOf({ since: hour, until: following });
  // The number of waiting submissions is known only for now.
  const waiting = sql`(select json_object('kyc_waiting', ${pendingKyc}) from user_counts)`;
  const figures = hour === last ? sql`json_patch(${counted}, ${waiting})` : counted;
  return {
    statements: {
      changed: storeHour(deps, { day: dayOf(hour), hour: hourOf(hour), figures }, fence),
      kept: keepJobCursor(deps, NAME, String(following), fence),
    },
    next: () => (following > last ? undefined : String(following)),
  };
}
