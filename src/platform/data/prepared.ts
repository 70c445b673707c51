import { fillPlaceholders, SQL, sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import type { PreparedQuery } from "drizzle-orm/session";
import type { Deps } from "../deps.ts";
import type { Database } from "./drizzle.ts";

/** A statement of a batch. */
export type Statement = BatchItem<"sqlite">;

/** Statements by the name of their result; undefined ones are skipped. */
export type Statements = Record<string, Statement | undefined>;

/** Dependencies of functions that build statements. */
export type StatementDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "keyring">;

/** A compiled statement and the function that decodes its result. */
interface Query {
  name: string;
  text: string;
  params: readonly unknown[];
  read: (result: D1Result) => unknown;
}

/** Compiled statements of one batch, by the name of their result. */
export class Batch<S extends Statements> {
  /** Exists only for type inference. */
  declare readonly statements: S;
  readonly queries: readonly Query[];

  /** @throws Error if two statements have the same name, because one result would be lost. */
  constructor(queries: readonly Query[]) {
    const names = new Set<string>();
    for (const { name } of queries) {
      if (names.has(name)) throw new Error(`two statements are named ${name}`);
      names.add(name);
    }
    this.queries = queries;
  }
}

/**
 * Compiles the statements to SQL text and parameters, in order; undefined ones are skipped.
 *
 * @throws Error if a name is a number, because an object lists such names first.
 */
export function compile<S extends Statements>(statements: S | Batch<S>): Batch<S> {
  if (statements instanceof Batch) return statements;
  const queries = Object.entries(statements).flatMap(([name, statement]) => {
    if (/^\d+$/.test(name)) throw new Error(`a statement is named ${name}: an object lists numbers first`);
    if (statement === undefined) return [];
    const query = (statement as unknown as { prepare(): PreparedQuery }).prepare();
    const { sql, params } = query.getQuery();
    return [{ name, text: sql, params, read: (result: D1Result) => query.mapResult(result, true) }];
  });
  return new Batch(queries);
}

/** A constant inlined into the SQL text, because D1 binds at most 100 parameters per statement. */
export const literal = (value: string | number): SQL => sql.raw(String(value));

/**
 * A value of a statement, or SQL that stands for it: a placeholder if the statement is prepared. A function that takes
 * a `Value` can bind it and compute with it in SQL, but cannot inspect it.
 */
export type Value<T> = T | SQL;

/** The list as JSON text. A placeholder for a list is bound to its JSON text already. */
export const jsonOf = (list: Value<readonly unknown[]>): Value<string> =>
  list instanceof SQL ? list : JSON.stringify(list);

/** What functions that build statements take from an invocation; placeholders if the statements are prepared. */
export interface BuilderDeps {
  db: Database;
  now: () => Value<number>;
  newId: () => Value<string>;
  invocationId: Value<string>;
}

type Bindable = string | number | null;

/**
 * Prepares statements: `build` runs once per isolate and gets a placeholder for each name. Each use fills in its
 * values, and a new id for each call of `newId`. Values are bound as they are, so a flag is 0 or 1.
 */
export function prepare<Name extends string, S extends Statements>(
  names: readonly Name[],
  build: (deps: BuilderDeps, values: Readonly<Record<Name, SQL>>) => S,
): (deps: Pick<Deps, "db" | "now" | "newId" | "invocationId">, values: Record<Name, Bindable>) => Batch<S> {
  let template: { queries: readonly Query[]; ids: readonly string[] } | undefined;
  const compileWith = (db: Database) => {
    const ids: string[] = [];
    const newId = () => placeholder(`id ${ids.push(`id ${ids.length}`) - 1}`);
    const deps = { db, now: () => placeholder("now"), newId, invocationId: placeholder("invocationId") };
    const values = Object.fromEntries(names.map((name) => [name, placeholder(name)])) as Record<Name, SQL>;
    return { queries: compile(build(deps, values)).queries, ids };
  };
  return (deps, values) => {
    template ??= compileWith(deps.db);
    const { now, newId, invocationId } = deps;
    const drawn = Object.fromEntries(template.ids.map((id) => [id, newId()]));
    const all = { ...values, ...drawn, now: now(), invocationId };
    const fill = (query: Query) => ({ ...query, params: fillPlaceholders([...query.params], all) });
    return new Batch<S>(template.queries.map(fill));
  };
}

const placeholder = (name: string): SQL => sql`${sql.placeholder(name)}`;
