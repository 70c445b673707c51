import { eq, type SQL, sql } from "drizzle-orm";
import { getTableConfig, type SQLiteTable } from "drizzle-orm/sqlite-core";
import { favoriteStations, pointTransactions, rentals, walletTransactions } from "../../db/ledger-schema.ts";
import { auditLogs, deadLetters } from "../../db/platform-schema.ts";
import { sessions } from "../../db/sign-in-schema.ts";
import { notifications, referrals, users } from "../../db/user-schema.ts";
import { mergeStatements, runBatch } from "../../platform/data/database.ts";
import { isOneOf } from "../../platform/data/first-rows.ts";
import type { Statement, Statements } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";

/** Maximum number of rows that one batch erases, across all tables. */
const ERASED_ROWS = 400;

/** How the rows of one table are erased. */
interface Rule {
  table: SQLiteTable;
  /** The column with the user's id; it must be the first of an index. */
  owner: SQL;
  /** The values that anonymize the rows; they are deleted by default. */
  set?: Record<string, SQL | null>;
  /** The rows keep the owner's id, so each chunk starts after the last row id of the previous one. */
  isById?: boolean;
}

const userId = sql.raw("user_id");

/**
 * Every table with many rows per user, except the outbox, which forgets an event once it is sent. Rows of ledgers
 * and of the audit log stay, without personal data.
 */
const rules: readonly Rule[] = [
  { table: notifications, owner: userId },
  { table: sessions, owner: userId },
  { table: rentals, owner: userId },
  { table: favoriteStations, owner: userId },
  { table: referrals, owner: sql.raw("inviter_id") },
  { table: walletTransactions, owner: userId, set: { userId: null } },
  {
    table: pointTransactions,
    owner: userId,
    // A referral references the invitee; the row's id replaces it because references are unique.
    set: { userId: null, reference: sql.raw("case when reason = 'referral' then id else reference end") },
  },
  {
    table: auditLogs,
    owner: userId,
    set: { oldValues: null, newValues: null, ip: null, userAgent: null },
    isById: true,
  },
  { table: deadLetters, owner: userId, set: { payload: null }, isById: true },
];

const nameOf = (table: SQLiteTable) => getTableConfig(table).name;

/** The tables with rows left to erase, each with the id after which to continue ("" from the beginning). */
export type Rest = Readonly<Record<string, string>>;

/** The start of an erasure: all tables. */
export const wholeHistory: Rest = Object.fromEntries(rules.map(({ table }) => [nameOf(table), ""]));

/**
 * Erases the next rows of a deleted user's history, at most `ERASED_ROWS`, with one statement per table of `rest` in
 * one transaction. Safe to repeat. Erases nothing while `users` has a row with that id.
 *
 * @returns the tables left; empty when the erasure is complete.
 */
export async function eraseHistory(deps: Pick<Deps, "db" | "log">, id: string, rest: Rest): Promise<Rest> {
  const due = rules.filter(({ table }) => rest[nameOf(table)] !== undefined);
  const limit = Math.floor(ERASED_ROWS / due.length);
  const statements = due.map((rule): Statements => ({ [nameOf(rule.table)]: erase(deps, rule, id, rest, limit) }));
  const erased = (await runBatch(deps, mergeStatements(...statements))) as Record<string, { key: string }[]>;
  const left = due.flatMap(({ table, isById }) => {
    const rows = erased[nameOf(table)] ?? [];
    const last = rows.reduce((greatest, { key }) => (key > greatest ? key : greatest), "");
    return rows.length < limit ? [] : [[nameOf(table), isById ? last : ""] as const];
  });
  return Object.fromEntries(left);
}

/** Whether `users` has a row with that id. */
export async function hasUser(deps: Pick<Deps, "db" | "log">, id: string): Promise<boolean> {
  const { found } = await runBatch(deps, {
    found: deps.db.select({ id: users.id }).from(users).where(eq(users.id, id)),
  });
  return found.length > 0;
}

function erase(
  deps: Pick<Deps, "db">,
  { table, owner, set, isById }: Rule,
  id: string,
  rest: Rest,
  limit: number,
): Statement {
  const name = nameOf(table);
  const afterLastId = isById ? sql`and id > ${rest[name] ?? ""} order by id` : sql``;
  const first = sql`where ${owner} = ${id} ${afterLastId} limit ${sql.raw(String(limit))}`;
  const isNext = sql`${isOneOf(table, first)} and not exists (select 1 from users where users.id = ${id})`;
  const key = { key: isById ? sql<string>`id` : sql<string>`''` };
  return set
    ? deps.db.update(table).set(set).where(isNext).returning(key)
    : deps.db.delete(table).where(isNext).returning(key);
}
