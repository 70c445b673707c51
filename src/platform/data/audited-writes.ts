import { type SQL, sql } from "drizzle-orm";
import type { AppError } from "../http/errors.ts";
import { beyondLimit } from "../http/rate-limit.ts";
import { DAY_MS } from "../time.ts";
import { firstIdInWindow } from "../uuid.ts";
import { literal } from "./prepared.ts";

/** Limit of a user's audited writes to their own data, in a sliding window. */
export const auditedWritesPerDay = { count: 1_000, windowMs: DAY_MS } as const;

/**
 * Entity types that are neither counted nor refused: accounts with their identifiers, which have a limit of their own,
 * and sessions.
 */
export const UNLIMITED_ENTITIES: readonly string[] = ["user", "session"];

const { count, windowMs } = auditedWritesPerDay;
const unlimited = literal(UNLIMITED_ENTITIES.map((each) => `'${each}'`).join(", "));

/** Marker of the refusal in the database error, followed by the milliseconds to wait. */
const MARK = "audited_writes_wait_";
const MARKED = new RegExp(`${MARK}(-?\\d+)`);

/**
 * The current time for the audit row of a user's own write. If the window is full, evaluating it fails and rolls back
 * the whole batch: `json_extract` rejects a path without `$` and quotes it in its error message; a NULL path, if the
 * window is not full, is no error. Reads at most 1,000 of the user's own rows of the last day; writes none.
 */
export function nowUnlessWindowIsFull(now: number, userId: string | SQL): SQL {
  const since = firstIdInWindow(now, windowMs);
  const wait = sql`select cast(created_at + ${literal(windowMs)} - ${now} as integer) from audit_logs
    where user_id = ${userId} and id > ${since} and not by_staff and entity_type not in (${unlimited})
    order by id desc limit 1 offset ${literal(count - 1)}`;
  return sql`coalesce(json_extract('{}', ${literal(`'${MARK}'`)} || (${wait})), ${now})`;
}

/** Returns `rate_limit_exceeded` if the database error says that the window is full; undefined for any other error. */
export function beyondAuditedWrites(error: unknown): AppError | undefined {
  const [, waitMs] = (error instanceof Error && MARKED.exec(error.message)) || [];
  if (waitMs === undefined) return undefined;
  const waitSeconds = Math.ceil(Number(waitMs) / 1000);
  return beyondLimit("audited-writes", auditedWritesPerDay, waitSeconds, "audited writes of one user in a day");
}
