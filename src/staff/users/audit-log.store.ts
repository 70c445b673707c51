import { eq, lt, ne, type SQL, sql } from "drizzle-orm";
import { getTableColumns } from "drizzle-orm/utils";
import { auditLogs } from "../../db/platform-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { isRecorded } from "../../sessions/staff-views.store.ts";
import { runStaffBatch } from "../staff-batch.store.ts";
import { readRecorded, refuseUnlessRecorded } from "./staff-view.store.ts";
import { isUser } from "./user-detail.store.ts";

type LogDeps = Pick<Deps, "db" | "now" | "newId" | "log" | "config">;

/** Maximum number of rows read for one page of a log that is filtered by entity type. */
const MAX_SCANNED = 300;

/** Size, position and filter of a page of an audit log. */
export interface LogPage {
  size: number;
  /** The id after which the page begins; undefined for the first. */
  after: string | undefined;
  entityType?: string | undefined;
}

/** The column, or null once the row's user or actor is deleted, because their history is erased only later. */
const shownOf = <T>(column: keyof typeof names): SQL<T> =>
  sql.raw(`case when exists (select 1 from users owner where owner.id = audit_logs.user_id)
    and (audit_logs.actor_id is null or users.id is not null) then audit_logs.${names[column]} end`) as SQL<T>;

const names = { oldValues: "old_values", newValues: "new_values", ip: "ip", userAgent: "user_agent" } as const;

/** The columns with their table, which Drizzle leaves out of a FROM clause that it does not know. */
const logColumns = Object.fromEntries(
  Object.entries(getTableColumns(auditLogs)).map(([name, column]) => [
    name,
    sql.raw(`audit_logs.${column.name}`).mapWith(column).as(column.name),
  ]),
) as unknown as ReturnType<typeof getTableColumns<typeof auditLogs>>;

/**
 * Selects a page of the log whose rows meet `of`, newest first. Rows that involve deleted users are included without
 * values, address and user agent. With a filter it reads at most `MAX_SCANNED` rows; the last one read is selected too,
 * if it is not the end.
 */
export function selectLogs(deps: Pick<Deps, "db">, of: SQL, { size, after, entityType }: LogPage) {
  const range = sql`${of} and ${after === undefined ? sql`true` : lt(auditLogs.id, after)}`;
  const last = sql.raw(String(MAX_SCANNED));
  const scanned = sql`(select user_id, id, row_number() over () as nth from
    (select user_id, id from audit_logs where ${range} order by id desc limit ${last}))`;
  const isFit = entityType === undefined ? sql`true` : sql`audit_logs.entity_type = ${entityType}`;
  const isLast = sql<number>`${entityType === undefined ? sql`0` : sql`scanned.nth = ${last}`}`;
  const source = sql`audit_logs left join users on users.id = audit_logs.actor_id`;
  return (
    deps.db
      .select({
        log: {
          ...logColumns,
          oldValues: shownOf("oldValues").mapWith(auditLogs.oldValues).as("shown_old_values"),
          newValues: shownOf("newValues").mapWith(auditLogs.newValues).as("shown_new_values"),
          ip: shownOf<string | null>("ip").as("shown_ip"),
          userAgent: shownOf<string | null>("userAgent").as("shown_user_agent"),
        },
        actor: sql<string | null>`users.username`.as("actor_username"),
        subject: sql<string | null>`(select owner.username from users owner where owner.id = audit_logs.user_id)`.as(
          "subject",
        ),
        isFit: sql<number>`${isFit}`.as("is_fit"),
        isLast: isLast.as("is_last"),
      })
      .from(entityType === undefined ? source : sql`${scanned} scanned cross join ${source}`)
      .where(
        entityType === undefined
          ? range
          : sql`audit_logs.user_id = scanned.user_id and audit_logs.id = scanned.id and (${isFit} or ${isLast})`,
      )
      // The rows that were scanned are in this order already.
      .orderBy(...(entityType === undefined ? [sql`audit_logs.id desc`] : []))
      // One extra row shows whether there is a next page.
      .limit(size + 1)
  );
}

type SelectedLog = Awaited<ReturnType<typeof selectLogs>>[number];

/** A row of an audit log with the usernames of the actor and of the user; null for the system and for deleted users. */
export type AuditLogRow = Pick<SelectedLog, "log" | "actor" | "subject">;

/** The rows of a page, and the id after which the next begins; undefined after the last. */
export function pageOfLogs(rows: readonly SelectedLog[], { size }: LogPage) {
  const found = rows.filter(({ isFit }) => isFit === 1);
  const shown = found.slice(0, size);
  const scannedTo = rows.find(({ isLast }) => isLast === 1)?.log.id;
  return { found: shown, next: found.length > size ? shown.at(-1)?.log.id : scannedTo };
}

/**
 * A page of actions on a user's account, newest first; `isKnown` is false if nothing is known of such a user. Records
 * the view in the same transaction, unless the page will be masked. A deleted user's rows have no values.
 *
 * @throws AppError `rate_limit_exceeded` if the caller has no views left.
 */
export async function listAuditLogs(
  deps: LogDeps,
  client: Client,
  caller: StaffClaims,
  userId: string,
  page: LogPage & { isMasked: boolean },
) {
  const found = page.isMasked
    ? await runStaffBatch(deps, caller, ({ ifStaff }) => selectPage(deps, userId, ifStaff(userId), page))
    : await readRecordedPage(deps, client, caller, userId, page);
  const isKnown = found.known.length > 0 || page.after !== undefined;
  return { isKnown, ...pageOfLogs(found.logs, page) };
}

/** @param owner the user's id if the caller may read, else NULL. */
const selectPage = (deps: LogDeps, userId: string, owner: SQL, page: LogPage, without?: string) => ({
  // Of a deleted user only the log is left, of which a filter may show nothing.
  known: deps.db
    .select({ one: sql<number>`1`.as("one") })
    .from(sql`(select 1)`)
    .where(sql`${isUser(userId)} or exists (select 1 from audit_logs where user_id = ${owner})`),
  logs: selectLogs(
    deps,
    sql`${eq(auditLogs.userId, owner)} and ${without === undefined ? sql`true` : ne(auditLogs.id, without)}`,
    page,
  ),
});

async function readRecordedPage(deps: LogDeps, client: Client, caller: StaffClaims, userId: string, page: LogPage) {
  const view = { userId, entityType: "audit_log", entityId: userId } as const;
  const found = await runStaffBatch(deps, caller, ({ isStaff }) =>
    readRecorded(deps, client, caller, view, isStaff, (id) => {
      const mayRead = sql`(${isRecorded(caller, id)} or ${isStaff} and not ${isUser(userId)})`;
      // The row that records this view is not part of the page.
      return selectPage(deps, userId, sql`(select case when ${mayRead} then ${userId} end)`, page, id);
    }),
  );
  refuseUnlessRecorded(deps, caller, found);
  return found;
}
