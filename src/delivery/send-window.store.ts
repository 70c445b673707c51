import { type SQL, sql } from "drizzle-orm";
import { smsSendLimits } from "../db/send-schema.ts";
import { insertFrom, literal } from "../platform/data/database.ts";
import type { BuilderDeps } from "../platform/data/prepared.ts";
import { MINUTE_MS } from "../platform/time.ts";

/** Length of the short window of a counter, in milliseconds. Like the long one, it starts with the first code. */
export const RECENT_MS = 10 * MINUTE_MS;

/** Counter row in `sms_send_limits`, as SQL; `windowEndsAt` is the end of a window that starts now. */
interface Counted {
  scope: SQL;
  key: SQL;
  windowEndsAt: SQL;
}

/**
 * Adds 1 to a counter for each row of `from` (a FROM clause and what follows it). A counter whose window is over starts
 * a new one.
 */
export function countInWindows(deps: Pick<BuilderDeps, "db" | "now">, counted: Counted, from: SQL) {
  const now = deps.now();
  const isOver = sql`${smsSendLimits.windowEndsAt} <= ${now}`;
  const isRecentOver = sql`${smsSendLimits.recentEndsAt} <= ${now}`;
  const row = { ...counted, sends: 1, recentEndsAt: sql`${now} + ${literal(RECENT_MS)}`, recentSends: 1 };
  return insertFrom(deps, smsSendLimits, row, from).onConflictDoUpdate({
    target: [smsSendLimits.scope, smsSendLimits.key],
    set: {
      sends: sql`case when ${isOver} then 1 else ${smsSendLimits.sends} + 1 end`,
      windowEndsAt: sql`case when ${isOver} then excluded.window_ends_at else ${smsSendLimits.windowEndsAt} end`,
      recentSends: sql`case when ${isRecentOver} then 1 else ${smsSendLimits.recentSends} + 1 end`,
      recentEndsAt: sql`case when ${isRecentOver} then excluded.recent_ends_at else ${smsSendLimits.recentEndsAt} end`,
    },
  });
}
