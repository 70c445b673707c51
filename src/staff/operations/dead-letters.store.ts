import { type SQL, sql } from "drizzle-orm";
import { auditLogs } from "../../db/platform-schema.ts";
import { idForEachRow, insertFrom, instantOf, mergeStatements } from "../../platform/data/database.ts";
import { discardLetters, isReplayable, isWaiting, replayLetters } from "../../platform/data/dead-letter.store.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { AdminClaims } from "../../sessions/claims.ts";
import { commitAdminBatch, runAdminBatch } from "../staff-batch.store.ts";
import { MAX_SETTLED } from "./dead-letter-limits.ts";

type LetterDeps = Pick<Deps, "db" | "now" | "newId" | "log" | "config">;

/** Maximum number of letters read for one page. */
const MAX_SCANNED = 300;
/** A greater number of letters that remain is reported as this one. */
const MAX_REMAINING = 10_000;

export type LetterState = "WAITING" | "REPLAYED" | "DISCARDED";

const hasState: Record<LetterState, SQL> = {
  WAITING: isWaiting,
  REPLAYED: sql.raw("replayed_at is not null"),
  DISCARDED: sql.raw("discarded_at is not null"),
};

/**
 * The letter is not about a deleted user, whose letters are erased only later. A message about a user who is unknown
 * here, of whom the audit log has no row, comes from another service.
 */
const isShown = sql`(letter.user_id is null or exists (select 1 from users where users.id = letter.user_id)
  or not exists (select 1 from audit_logs where audit_logs.user_id = letter.user_id))`;

/** The listed columns as SQL, because Drizzle compares plain columns with a FROM clause that it knows. */
const columns = {
  id: sql<string>`id`.as("id"),
  queue: sql<string>`queue`.as("queue"),
  type: sql<string | null>`type`.as("type"),
  userId: sql<string | null>`user_id`.as("user_id"),
  reason: sql<string>`reason`.as("reason"),
  trace: sql<string | null>`trace`.as("trace"),
  attempts: sql<number>`attempts`.as("attempts"),
  payload: sql<string | null>`case when ${isShown} then payload end`.as("payload"),
  createdAt: sql<number>`created_at`.as("created_at"),
};

/** Filters, size and position of a page of dead letters. */
export interface LetterPage {
  state: LetterState;
  type: string | undefined;
  size: number;
  /** Where the previous page ended: time and id. */
  after: readonly [number, string] | undefined;
}

/**
 * A page of dead letters, newest first. It reads a limited number of letters, so a page may be short although another
 * follows.
 *
 * @returns `next`, where the next page begins; undefined after the last.
 */
export async function listLetters(deps: LetterDeps, caller: AdminClaims, page: LetterPage) {
  const { state, type, size, after } = page;
  const { letters } = await runAdminBatch(deps, caller, ({ isAdmin }) => {
    // The second one is always true; it lets the planner search an index.
    const range = after ? sql`(created_at, id) < (${instantOf(after[0])}, ${after[1]})` : sql`created_at >= 0`;
    const isOfType = type === undefined ? sql`true` : sql`type = ${type}`;
    // Waiting letters have indexes, with and without the type; settled ones are filtered from all letters.
    const scanned = state === "WAITING" ? sql`${isWaiting} and ${isOfType}` : sql`true`;
    const last = sql.raw(String(MAX_SCANNED));
    const isFit = sql`${hasState[state]} and ${isOfType}`;
    return {
      letters: deps.db
        .select({
          ...columns,
          settledAt: sql<number | null>`coalesce(replayed_at, discarded_at)`.as("settled_at"),
          isFit: sql<number>`${isFit}`.as("is_fit"),
          nth: sql<number>`nth`.as("nth"),
        })
        .from(
          sql`(select *, row_number() over () as nth from (select * from dead_letters where ${scanned} and ${range}
            order by created_at desc, id desc limit case when ${isAdmin} then ${last} else 0 end)) letter`,
        )
        .where(sql`${isFit} or nth = ${last}`)
        .limit(size + 1),
    };
  });
  const fit = letters.filter(({ isFit }) => isFit === 1);
  const found = fit.slice(0, size);
  const end = fit.length > size ? found.at(-1) : letters.find(({ nth }) => nth === MAX_SCANNED);
  return { found, next: end && ([end.createdAt, end.id] as const) };
}

/** A row of `listLetters`. */
export type LetterRow = Awaited<ReturnType<typeof listLetters>>["found"][number];

/** What an admin does with which dead letters. */
export interface Settlement {
  action: "REPLAY" | "DISCARD";
  /** The letters with these ids, or those of the type before the time (epoch ms). */
  which: { ids: readonly string[] } | { type: string; before: number };
  reason: string;
}

/**
 * Replays or discards dead letters, at most `MAX_SETTLED`, the oldest first, each once, with an audit row for each, in
 * one transaction. Letters that were settled before are left out.
 *
 * @returns the number of letters that this call settled, and of those that remain.
 */
export async function settleLetters(deps: LetterDeps, client: Client, caller: AdminClaims, settlement: Settlement) {
  const { action, which, reason } = settlement;
  const settledId = deps.newId();
  const isOpen = action === "REPLAY" ? isReplayable : isWaiting;
  const meant =
    "ids" in which
      ? sql`id in (select value from json_each(${JSON.stringify(which.ids)}))`
      : sql`type = ${which.type} and created_at < ${which.before}`;
  // Ids need no order: a call takes no more of them than it settles.
  const oldestFirst = "ids" in which ? sql`` : sql`order by created_at, id`;
  const prefix = sql`substr(${settledId}, 1, 24)`;
  const isSettledHere = sql`actor_id = ${caller.userId} and by_staff = 1 and id > ${prefix} and id < ${prefix} || 'g'`;
  const isTaken = sql`${isWaiting} and id in (select entity_id from audit_logs where ${isSettledHere})`;
  const { settled, remaining } = await commitAdminBatch(
    deps,
    caller,
    ({ isAdmin }) => ({
      writes: mergeStatements(
        {
          settledAudit: insertFrom(
            deps,
            auditLogs,
            {
              id: idForEachRow({ newId: () => settledId }),
              // A letter of a deleted or unknown user is recorded with the admin.
              userId: sql`coalesce((select users.id from users where users.id = letter.user_id), ${caller.userId})`,
              action: "UPDATE",
              entityType: "dead_letter",
              entityId: sql`letter.id`,
              newValues: sql`json_object('action', ${action}, 'type', letter.type, 'reason', ${reason})`,
              actorId: caller.userId,
              byStaff: true,
              ip: client.ip,
              userAgent: client.userAgent,
              sessionId: caller.sessionId,
              createdAt: instantOf(deps.now()),
            },
            sql`from (select * from dead_letters where ${isOpen} and ${meant} and ${isAdmin}
              ${oldestFirst} limit ${sql.raw(String(MAX_SETTLED))}) letter`,
          ),
        },
        action === "REPLAY" ? replayLetters(deps, isTaken) : { discarded: discardLetters(deps, isTaken) },
      ),
      reads: {
        settled: deps.db
          .select({ count: sql<number>`count(*)`.as("count") })
          .from(auditLogs)
          .where(isSettledHere),
        remaining: deps.db
          .select({ count: sql<number>`count(*)`.as("count") })
          .from(
            sql`(select 1 from dead_letters where ${isOpen} and ${meant} and ${isAdmin} limit ${sql.raw(String(MAX_REMAINING))})`,
          ),
      },
    }),
    ({ settled: [found] }) => (found?.count ?? 0) > 0,
  );
  return { settled: settled[0]?.count ?? 0, remaining: remaining[0]?.count ?? 0 };
}
