import { type SQL, sql } from "drizzle-orm";
import { smsSendLimits } from "../db/send-schema.ts";
import { insertFrom } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";

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
export function countInWindows(deps: Pick<Deps, "db" | "now">, counted: Counted, from: SQL) {
  const isOver = sql`${smsSendLimits.windowEndsAt} <= ${deps.now()}`;
  return insertFrom(deps, smsSendLimits, { ...counted, sends: 1 }, from).onConflictDoUpdate({
    target: [smsSendLimits.scope, smsSendLimits.key],
    set: {
      sends: sql`case when ${isOver} then 1 else ${smsSendLimits.sends} + 1 end`,
      windowEndsAt: sql`case when ${isOver} then excluded.window_ends_at else ${smsSendLimits.windowEndsAt} end`,
    },
  });
}
