import type { SQL } from "drizzle-orm";
import { SQLiteAsyncDialect } from "drizzle-orm/sqlite-core";
import { OnePassDialect } from "../../src/platform/data/dialect.ts";
import {
  type Batch,
  compile,
  Preparation,
  type StatementDeps,
  type Statements,
} from "../../src/platform/data/prepared.ts";

/**
 * Statements that differ from their unoptimised form. They are collected, because an exception inside a batch would
 * look like a database failure.
 */
export const differences: unknown[] = [];

/**
 * From now on, compares every statement with the output of Drizzle's dialect, and every prepared one with a statement
 * rebuilt for the same values.
 */
export function compareStatements(): void {
  OnePassDialect.prototype.sqlToQuery = comparedQuery;
  Preparation.prototype.use = comparedUse;
}

const { sqlToQuery } = OnePassDialect.prototype;
const drizzles = new SQLiteAsyncDialect();

function comparedQuery(this: OnePassDialect, statement: SQL, invokeSource?: "indexes") {
  const own = sqlToQuery.call(this, statement, invokeSource);
  const { sql, params } = drizzles.sqlToQuery(statement, invokeSource);
  const isSame = own.params.length === params.length && params.every((each, i) => Object.is(each, own.params[i]));
  if (own.sql !== sql || !isSame) differences.push({ written: own, drizzles: { sql, params } });
  return own;
}

const { use } = Preparation.prototype;

function comparedUse(this: Preparation<readonly unknown[], Statements>, deps: StatementDeps, args: readonly unknown[]) {
  const now = deps.now();
  const still = { ...deps, now: () => now };
  const trip = use.call(this, still, args);
  const prepared = describe(trip);
  const anew = describe(compile(this.build(still, ...args)));
  if (prepared !== anew) differences.push({ prepared, anew });
  return trip;
}

const UUID = /[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/g;

/** Names, texts and parameters. Generated ids differ, so each is replaced by its first position. */
function describe({ queries }: Batch<Statements>): string {
  const ids: string[] = [];
  const sortKeyOf = (id: string) => {
    if (!ids.includes(id)) ids.push(id);
    return `#${ids.indexOf(id)}`;
  };
  return JSON.stringify(queries.map(({ name, text, params }) => ({ name, text, params }))).replace(UUID, sortKeyOf);
}
