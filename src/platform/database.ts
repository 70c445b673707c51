import { type SQL, type SQLWrapper, sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import { getTableColumns } from "drizzle-orm/utils";
import type { Deps } from "./deps.ts";
import { AppError } from "./errors.ts";
import { describeError } from "./log.ts";

/** How long a binding may keep a request waiting, in milliseconds. */
export const BINDING_DEADLINE_MS = 10_000;

/** Gives up after `milliseconds`; the call itself may still take effect. */
export async function withDeadline<T>(work: Promise<T>, milliseconds = BINDING_DEADLINE_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([work, expiry]);
  } finally {
    clearTimeout(timer);
  }
}

/** A statement of a batch. */
export type Statement = BatchItem<"sqlite">;

/** Statements by the names that their results get; undefined ones are left out. */
type Statements = Record<string, Statement | undefined>;

/** Rows of a statement that returns some, D1's own result of one that does not. */
type Outcome<T extends Statements> = { [K in keyof T]: ResultOf<T[K]> };
type ResultOf<S> = S extends Statement ? S["_"]["result"] : undefined;

/**
 * Runs the named statements, in their order, as one transaction in one round trip to D1; undefined ones are left out.
 *
 * @throws AppError `service_unavailable` when D1 fails or does not answer. The batch may have been committed all the
 *   same: a caller whose client must know asks again by its attempt id.
 */
export async function inOneTrip<T extends Statements>(
  deps: Pick<Deps, "db" | "log">,
  statements: T,
): Promise<Outcome<T>> {
  const given = Object.entries(statements).filter((entry): entry is [string, Statement] => entry[1] !== undefined);
  const [first, ...rest] = given.map(([, statement]) => statement);
  if (!first) throw new Error("a batch needs a statement");
  try {
    const results: unknown[] = await withDeadline(deps.db.batch([first, ...rest]));
    return Object.fromEntries(given.map(([name], i) => [name, results[i]])) as Outcome<T>;
  } catch (error) {
    deps.log.error("database_failed", { reason: describeError(error) });
    throw new AppError("service_unavailable", { retryAfterSeconds: 2, cause: error });
  }
}

/** The statements of one trip from two lists. @throws Error where a name stands in both, since one would be lost. */
export function together<A extends Statements, B extends Statements>(first: A, then: B): A & B {
  const lost = Object.keys(first).find((name) => name in then);
  if (lost !== undefined) throw new Error(`two statements are named ${lost}`);
  return { ...first, ...then };
}

/** Binds an instant as an integer: D1 binds every number as REAL, and what no column converts stays one. */
export const instantOf = (milliseconds: number): SQL => sql`cast(${milliseconds} as integer)`;

type NewRow<T extends SQLiteTable> = { [K in keyof T["$inferInsert"]]: T["$inferInsert"][K] | SQL };

/**
 * An INSERT … SELECT of one row that is made only where `condition` holds, so that the decision is in the statement.
 * Values may be SQL; what `row` leaves out is NULL.
 */
export function insertWhere<T extends SQLiteTable>(
  deps: Pick<Deps, "db">,
  table: T,
  row: NewRow<T>,
  condition: SQLWrapper,
) {
  return insertFrom(deps, table, row, sql`where ${condition}`);
}

/** As `insertWhere`, with a row for each of the rows that `from` (a FROM clause and what follows it) gives. */
export function insertFrom<T extends SQLiteTable>(deps: Pick<Deps, "db">, table: T, row: NewRow<T>, from: SQL) {
  const given: Readonly<Record<string, unknown>> = row;
  const columns = Object.entries(getTableColumns(table)).filter(([, column]) => column.generated === undefined);
  const values = columns.map(([name, column]) => {
    const value = given[name];
    if (value === undefined || value === null) return sql`null`;
    return value instanceof Object && "getSQL" in value ? value : sql.param(value, column);
  });
  return deps.db.insert(table).select(sql`select ${sql.join(values, sql`, `)} ${from}`);
}

/** One of `count` new ids for each row of an INSERT … SELECT of at most so many rows. */
export function idForEachRow(deps: Pick<Deps, "newId">, count: number): SQL {
  const ids = JSON.stringify(Array.from({ length: count }, deps.newId));
  return sql`json_extract(${ids}, '$[' || (row_number() over () - 1) || ']')`;
}
