import { type SQL, type SQLWrapper, sql } from "drizzle-orm";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import { getTableColumns } from "drizzle-orm/utils";
import { raiseAlert } from "../alerts.ts";
import type { Deps } from "../deps.ts";
import { AppError } from "../http/errors.ts";
import { describeError } from "../log.ts";
import { beyondAuditedWrites } from "./audited-writes.ts";
import { type Batch, type BuilderDeps, compile, type Statement, type Statements, type Value } from "./prepared.ts";

export { literal } from "./prepared.ts";

/** Default time limit of a binding call, in milliseconds. */
export const BINDING_DEADLINE_MS = 10_000;

/** Thrown if a call is not answered in time. */
export class DeadlineError extends Error {}

/** Rejects with a `DeadlineError` after `milliseconds`; the call itself may still take effect. */
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

/** Results of statements by name: rows if the statement returns rows, otherwise D1's own result. */
export type Results<T> = T extends Batch<infer S> ? Results<S> : { [K in keyof T]: ResultOf<T[K]> };
type ResultOf<S> = S extends Statement ? S["_"]["result"] : undefined;

/**
 * Runs the named statements in order, as one transaction and one round trip to D1. Undefined statements are skipped.
 *
 * @throws AppError `rate_limit_exceeded` if the batch was rolled back because a user exceeded the daily limit of
 *   audited writes; `service_unavailable` if D1 fails or does not answer. In that case the batch may still have been
 *   committed; `commit` finds out.
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

type Names<T> =
  T extends Batch<infer S> ? Names<S> : T extends object ? (string extends keyof T ? never : keyof T) : never;

/** Makes a call fail to compile if `A` and `B` share a statement name; otherwise allows any type. */
export type DistinctNames<A, B> = [Names<A> & Names<B>] extends [never]
  ? unknown
  : { twoStatementsAreNamed: Names<A> & Names<B> };

type Merged<L extends readonly unknown[]> = L extends readonly [infer First, ...infer Rest]
  ? (undefined extends First ? Partial<NonNullable<First>> : First) & Merged<Rest>
  : L extends readonly []
    ? unknown
    : Statements;

/** Makes a call fail to compile if two of the lists share a statement name; otherwise `L`. */
type AllDistinct<L extends readonly unknown[]> = L extends readonly [infer First, ...infer Rest]
  ? [First & (undefined | DistinctNames<First, Rest[number]>), ...AllDistinct<Rest>]
  : L;

/**
 * Joins lists of statements, in order; undefined lists are skipped. Use it instead of a spread, which silently replaces
 * a statement by a later one of the same name; here that does not compile.
 *
 * @throws Error if two statements have the same name and the types do not show it.
 */
export function mergeStatements<L extends readonly (Statements | undefined)[]>(
  ...lists: L & AllDistinct<L>
): Merged<L> {
  const merged: Statements = {};
  for (const [name, statement] of lists.flatMap((list) => Object.entries(list ?? {}))) {
    if (Object.hasOwn(merged, name)) throw new Error(`two statements are named ${name}`);
    merged[name] = statement;
  }
  return merged as Merged<L>;
}

/** Binds a time as an integer. D1 binds every number as REAL, which stays REAL unless a column converts it. */
export const instantOf = (milliseconds: Value<number>): SQL => sql`cast(${milliseconds} as integer)`;

type NewRow<T extends SQLiteTable> = { [K in keyof T["$inferInsert"]]: T["$inferInsert"][K] | SQL };

/**
 * Builds an INSERT … SELECT that inserts the row only if `condition` is true, so that the decision is part of the
 * statement. Values may be SQL; columns missing from `row` are NULL.
 */
export function insertWhere<T extends SQLiteTable>(
  deps: Pick<Deps, "db">,
  table: T,
  row: NewRow<T>,
  condition: SQLWrapper,
) {
  return insertFrom(deps, table, row, sql`where ${condition}`);
}

/** Like `insertWhere`, but inserts one row for each row of `from` (a FROM clause and what follows it). */
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

/**
 * SQL for a new id per row of an INSERT … SELECT: one generated id whose last 48 of 74 random bits are drawn by the
 * database for each row.
 */
export function idForEachRow(deps: Pick<BuilderDeps, "newId">): SQL {
  return sql`substr(${deps.newId()}, 1, 24) || lower(hex(randomblob(6)))`;
}
