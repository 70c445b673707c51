import { type SQL, sql } from "drizzle-orm";
import type { AppError } from "../http/errors.ts";
import { beyondLimit } from "../http/rate-limit.ts";
import { firstIdAt } from "../uuid.ts";
import { before, derived } from "./prepared.ts";

/** Audited writes of a user of their own data, in a sliding window. */
export const auditedWritesPerDay = { count: 1_000, windowMs: 24 * 60 * 60 * 1000 } as const;

/** What sign-ups, sign-ins, sign-outs and deletions are audited as: they are never refused, and not counted. */
export const UNLIMITED_ENTITIES: readonly string[] = ["user", "session"];

const { count, windowMs } = auditedWritesPerDay;
const literal = (value: string | number) => sql.raw(String(value));
const unlimited = literal(UNLIMITED_ENTITIES.map((each) => `'${each}'`).join(", "));

/** Marks the refusal, with the milliseconds to wait, in the database's error. */
const MARK = "audited_writes_wait_";
const MARKED = new RegExp(`${MARK}(-?\\d+)`);

/**
 * The present instant, as a value of the audit row of a user's own write. Once the window is full it is an error, so
 * that the whole batch is rolled back: `json_extract` takes no path without `$`, and its message quotes the path; NULL,
 * where the window is not full, is no error. Reads the user's own rows of the last day, at most 1,000; writes none.
 */
export function nowUnlessWindowIsFull(now: number, userId: string | SQL): SQL {
  const since = derived(before(now, windowMs), firstIdAt);
  const wait = sql`select cast(created_at + ${literal(windowMs)} - ${now} as integer) from audit_logs
    where user_id = ${userId} and id > ${since} and not by_staff and entity_type not in (${unlimited})
    order by id desc limit 1 offset ${literal(count - 1)}`;
  return sql`coalesce(json_extract('{}', ${literal(`'${MARK}'`)} || (${wait})), ${now})`;
}

/** `rate_limit_exceeded` where the database's error says that the window is full; undefined for any other error. */
export function beyondAuditedWrites(error: unknown): AppError | undefined {
  const [, waitMs] = (error instanceof Error && MARKED.exec(error.message)) || [];
  if (waitMs === undefined) return undefined;
  const waitSeconds = Math.ceil(Number(waitMs) / 1000);
  return beyondLimit("audited-writes", auditedWritesPerDay, waitSeconds, "audited writes of one user in a day");
}
