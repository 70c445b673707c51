import { sql } from "drizzle-orm";
import { dayOf, hourOf } from "../../nepal.ts";
import { runBatch } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import type { RefusalMetric } from "./metric-names.ts";
import { addToHour } from "./metrics.store.ts";

/** Refusals of this isolate that are not stored yet. What an isolate holds when it ends is lost. */
let counts: Partial<Record<RefusalMetric, number>> = {};
let storedAt = 0;

function metricOf(status: number): RefusalMetric | undefined {
  if (status === 429) return "refused_limit";
  if (status === 401) return "refused_unauthenticated";
  if (status === 403) return "refused_forbidden";
  return status >= 500 ? "failed" : undefined;
}

/**
 * Counts a response if it is a refusal or a failure. At most once in REFUSAL_FLUSH_MS it also stores what this isolate
 * has counted, after the response: at most four rows, however many refusals there were. If storing fails, it is lost.
 */
export function countRefusal(deps: Deps, status: number): void {
  const { refusalFlushMs } = deps.config;
  const metric = metricOf(status);
  if (metric === undefined || refusalFlushMs === 0) return;
  counts[metric] = (counts[metric] ?? 0) + 1;
  const now = deps.now();
  // A clock that was set back does not stop the counting.
  if (now >= storedAt && now < storedAt + refusalFlushMs) return;
  storedAt = now;
  const figures = sql`${JSON.stringify(counts)}`;
  counts = {};
  const stored = runBatch(deps, { counted: addToHour(deps, { day: dayOf(now), hour: hourOf(now), figures }) });
  deps.afterResponse(stored.catch(() => undefined));
}
