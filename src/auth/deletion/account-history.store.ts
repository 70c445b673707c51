import { eq, type SQL, sql } from "drizzle-orm";
import { getTableConfig, type SQLiteTable } from "drizzle-orm/sqlite-core";
import { favoriteStations, pointTransactions, rentals, walletTransactions } from "../../db/ledger-schema.ts";
import { auditLogs, deadLetters, outbox } from "../../db/platform-schema.ts";
import { sessions } from "../../db/sign-in-schema.ts";
import { notifications, referrals, users } from "../../db/user-schema.ts";
import { runBatch } from "../../platform/data/database.ts";
import type { Statement } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";

/** Rows that one batch erases at most, all tables together. */
const ERASED_ROWS = 400;

interface Rule {
  table: SQLiteTable;
  /** The column, first of an index, that names the user. */
  owner: SQL;
  /** Holds for the owner's rows that are erased; all where absent. */
  only?: SQL;
  /** What becomes of the rows; they are deleted where absent. */
  set?: Record<string, SQL | null>;
  /** The rows still name the owner afterwards: a chunk begins behind the id of the one before. */
  isById?: boolean;
}

const userId = sql.raw("user_id");

/** The events of the deletion itself, which name the user by id alone and must still be sent. */
const isOfDeletion = sql.raw(`coalesce(type in ('user.deleted', 'account.deleted')
  or (type = 'social.revocation_due' and sent_at is null)
  or (type = 'webhook.due' and payload ->> 'type' = 'user.deleted'), 0)`);

/** Every table that may hold many rows per user. Ledgers and the audit log keep theirs without personal data. */
const rules: readonly Rule[] = [
  { table: outbox, owner: userId, only: sql`not ${isOfDeletion}` },
  { table: notifications, owner: userId },
  { table: sessions, owner: userId },
  { table: rentals, owner: userId },
  { table: favoriteStations, owner: userId },
  { table: referrals, owner: sql.raw("inviter_id") },
  { table: walletTransactions, owner: userId, set: { userId: null } },
  {
    table: pointTransactions,
    owner: userId,
    // The reference of a referral is the invitee's id; the row's own id keeps it unique.
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

/** What is left to erase: each such table, with the id behind which to go on ("" from the beginning). */
export type Rest = Readonly<Record<string, string>>;

/** All of a user's history. */
export const wholeHistory: Rest = Object.fromEntries(rules.map(({ table }) => [nameOf(table), ""]));

/**
 * Erases the next rows of a deleted user's history, at most `ERASED_ROWS`, by a statement per table of `rest` in one
 * transaction. Safe to repeat. It erases nothing while there is a row of `users` with that id.
 *
 * @returns what is then left; empty when all is done.
 */
export async function eraseHistory(deps: Pick<Deps, "db" | "log">, id: string, rest: Rest): Promise<Rest> {
  const due = rules.filter(({ table }) => rest[nameOf(table)] !== undefined);
  const limit = Math.floor(ERASED_ROWS / due.length);
  const statements = due.map((rule) => [nameOf(rule.table), erase(deps, rule, id, rest, limit)] as const);
  const erased = (await runBatch(deps, Object.fromEntries(statements))) as Record<string, { key: string }[]>;
  const left = due.flatMap(({ table, isById }) => {
    const rows = erased[nameOf(table)] ?? [];
    const last = rows.reduce((greatest, { key }) => (key > greatest ? key : greatest), "");
    return rows.length < limit ? [] : [[nameOf(table), isById ? last : ""] as const];
  });
  return Object.fromEntries(left);
}

/** Whether there is a row of `users` with that id. */
export async function hasUser(deps: Pick<Deps, "db" | "log">, id: string): Promise<boolean> {
  const { found } = await runBatch(deps, {
    found: deps.db.select({ id: users.id }).from(users).where(eq(users.id, id)),
  });
  return found.length > 0;
}

function erase(
  deps: Pick<Deps, "db">,
  { table, owner, only, set, isById }: Rule,
  id: string,
  rest: Rest,
  limit: number,
): Statement {
  const name = nameOf(table);
  const behind = isById ? sql`and id > ${rest[name] ?? ""} order by id` : sql``;
  const which = sql`rowid in (select rowid from ${sql.identifier(name)} where ${owner} = ${id} ${only ? sql`and ${only}` : sql``}
    ${behind} limit ${sql.raw(String(limit))}) and not exists (select 1 from users where users.id = ${id})`;
  const key = { key: isById ? sql<string>`id` : sql<string>`''` };
  return set
    ? deps.db.update(table).set(set).where(which).returning(key)
    : deps.db.delete(table).where(which).returning(key);
}
