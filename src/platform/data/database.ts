import { type SQL, type SQLWrapper, sql } from "drizzle-orm";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import { getTableColumns } from "drizzle-orm/utils";
import { raiseAlert } from "../alerts.ts";
import type { Deps } from "../deps.ts";
import { AppError } from "../http/errors.ts";
import { describeError } from "../log.ts";
import { beyondAuditedWrites } from "./audited-writes.ts";
import { type Batch, compile, type Statement, type Statements } from "./prepared.ts";

/** How long a binding may keep a request waiting, in milliseconds. */
export const BINDING_DEADLINE_MS = 10_000;

/** A call was not answered in time. */
export class DeadlineError extends Error {}

/** Gives up after `milliseconds`; the call itself may still take effect. */
export function withDeadline<T>(work: Promise<T>, milliseconds = BINDING_DEADLINE_MS): Promise<T> {
  return new Promise((resolve, reject) => {
    const expire = () => reject(new DeadlineError(`no answer within ${milliseconds} ms`));
    const timer = setTimeout(expire, milliseconds);
    const then =
      <A>(settle: (answer: A) => void) =>
      (answer: A) => {
        clearTimeout(timer);
        settle(answer);
      };
    work.then(then(resolve), then(reject));
  });
}

/** The results of statements by their names: rows of one that returns rows, else D1's own result. */
export type Results<T> = T extends Batch<infer S> ? Results<S> : { [K in keyof T]: ResultOf<T[K]> };
type ResultOf<S> = S extends Statement ? S["_"]["result"] : undefined;

/**
 * Runs the named statements, in their order, as one transaction in one round trip to D1; undefined ones are left out.
 *
 * @throws AppError `rate_limit_exceeded` when the batch was rolled back because it holds one audited write of a user too
 *   many for a day; `service_unavailable` when D1 fails or does not answer. The batch may have been
 *   committed all the same: `commit` finds out.
 */
export async function runBatch<T extends Statements | Batch<Statements>>(
  deps: Pick<Deps, "db" | "log"> & Partial<Pick<Deps, "queries">>,
  statements: T,
): Promise<Results<T>> {
  const { queries } = compile<Statements>(statements);
  if (queries.length === 0) throw new Error("a batch needs a statement");
  if (deps.queries) deps.queries.used += queries.length;
  try {
    const client = deps.db.$client;
    const bound = queries.map(({ text, params }) => client.prepare(text).bind(...params));
    const results = await withDeadline(client.batch(bound));
    const outcome: Record<string, unknown> = {};
    for (const [i, { name, read }] of queries.entries()) outcome[name] = read(results[i] as D1Result);
    return outcome as Results<T>;
  } catch (error) {
    const refusal = beyondAuditedWrites(error);
    if (refusal) throw refusal;
    raiseAlert(deps, "database_failed", { reason: describeError(error) });
    throw new AppError("service_unavailable", { retryAfterSeconds: 2, cause: error });
  }
}

type Names<T> = T extends Batch<infer S> ? Names<S> : string extends keyof T ? never : keyof T;
type SharedNames<A, B> = Names<A> & Names<B>;

/** Fits everything where `A` and `B` share no name of a statement; nothing, so that it does not compile, where they do. */
export type DistinctNames<A, B> = [SharedNames<A, B>] extends [never]
  ? unknown
  : { twoStatementsAreNamed: SharedNames<A, B> };

/** The statements of two lists in one. @throws Error where a name is in both, since the result of one would be lost. */
export function mergeStatements<A extends Statements, B extends Statements>(
  first: A,
  then: B & DistinctNames<A, B>,
): A & B {
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

/** A new id for each row of an INSERT … SELECT: of one drawn here, with the last 48 of its 74 random bits drawn by the database. */
export function idForEachRow(deps: Pick<Deps, "newId">): SQL {
  return sql`substr(${deps.newId()}, 1, 24) || lower(hex(randomblob(6)))`;
}
