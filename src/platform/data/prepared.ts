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

/**
 * A value of a statement, or SQL that stands for it: a placeholder if the statement is prepared. A function that takes a
 * `Value` can bind it and compute with it in SQL, but cannot look at it.
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
 * Prepares statements: `build` runs once per isolate and gets a placeholder for each name. Each use fills in its values,
 * and a new id for each call of `newId`. Values are bound as they are, so a flag is 0 or 1.
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

/** Inputs of one use of prepared statements. */
interface Use {
  deps: StatementDeps;
  /** Argument values, in the order of `shapeOf`. */
  values: readonly unknown[];
  /** Values generated for this use: time and ids. */
  drawn: Map<Parameter, unknown>;
}

const UNKNOWN = "a prepared statement is built before its values are known: derive from them with `derived`";

/** Placeholder for a value while a prepared statement is built. It can be bound and passed to `derived`. */
class Parameter {
  /** Returns its value in a use. */
  readonly in: (use: Use) => unknown;

  constructor(read: (use: Use) => unknown) {
    this.in = read;
  }

  [Symbol.toPrimitive](): never {
    throw new Error(UNKNOWN);
  }

  toJSON(): never {
    throw new Error(UNKNOWN);
  }
}

/** Applies `map` to the value, or to its later value if it is a placeholder. */
export function derived<T, U>(value: T, map: (value: T) => U): U {
  return value instanceof Parameter ? (new Parameter((use) => map(value.in(use) as T)) as U) : map(value);
}

/** Adds milliseconds to a time that may be a placeholder. */
export const after = (instant: number, milliseconds: number): number => derived(instant, (at) => at + milliseconds);

/** Subtracts milliseconds from a time that may be a placeholder. */
export const before = (instant: number, milliseconds: number): number => after(instant, -milliseconds);

/** Caches the compiled statements of a function per shape of its arguments. */
export class Preparation<Args extends readonly unknown[], S extends Statements> {
  readonly build: (deps: StatementDeps, ...args: Args) => S;
  readonly #batches = new Map<string, Batch<S>>();

  constructor(build: (deps: StatementDeps, ...args: Args) => S) {
    this.build = build;
  }

  /** Returns the statements with the values of this call. */
  use(deps: StatementDeps, args: Args): Batch<S> {
    const values: unknown[] = [];
    const shape = shapeOf(args, values);
    let batch = this.#batches.get(shape);
    if (!batch) {
      let count = 0;
      const parameters = withParameters(args, () => {
        const at = count++;
        return new Parameter((use) => use.values[at]);
      });
      batch = compile(this.build(parametersOf(deps), ...(parameters as Args)));
      this.#batches.set(shape, batch);
    }
    const use: Use = { deps, values, drawn: new Map() };
    const bind = (value: unknown) => (value instanceof Parameter ? value.in(use) : value);
    return new Batch(batch.queries.map((query) => ({ ...query, params: query.params.map(bind) })));
  }
}

/**
 * Prepares statements: `build` runs once per shape of its arguments, and its compiled statements are reused with the
 * values of each call. Booleans, absent values and `kind` are part of the shape, so `build` may branch on them. All
 * other strings, numbers and arrays are values that `build` may bind or derive from but not inspect. Arguments must be
 * plain objects.
 */
export function prepared<Args extends readonly unknown[], S extends Statements>(
  build: (deps: StatementDeps, ...args: Args) => S,
): (deps: StatementDeps, ...args: Args) => Batch<S> {
  const preparation = new Preparation(build);
  return (deps, ...args) => preparation.use(deps, args);
}

const isValue = (given: unknown) => typeof given === "string" || typeof given === "number" || Array.isArray(given);

/** Returns the shape of the arguments and appends their values to `values`, in order. */
function shapeOf(given: unknown, values: unknown[], isTop = true): string {
  if (typeof given !== "object" || given === null || (Array.isArray(given) && !isTop)) {
    if (!isValue(given)) return String(given);
    values.push(given);
    return "?";
  }
  if (!isTop && Object.getPrototypeOf(given) !== Object.prototype) throw new Error("only plain objects have a shape");
  let shape = "{";
  for (const [name, value] of Object.entries(given)) {
    shape += `${name}:${name === "kind" ? JSON.stringify(value) : shapeOf(value, values, false)},`;
  }
  return `${shape}}`;
}

/** Replaces each value in the arguments with a parameter, in the order of `shapeOf`. */
function withParameters(given: unknown, parameter: () => Parameter, isTop = true): unknown {
  if (Array.isArray(given) && isTop) return given.map((each) => withParameters(each, parameter, false));
  if (isValue(given)) return parameter();
  if (typeof given !== "object" || given === null) return given;
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      name === "kind" ? value : withParameters(value, parameter, false),
    ]),
  );
}

function parametersOf({ db }: StatementDeps): StatementDeps {
  const now = generateOnce((deps) => deps.now());
  return {
    db,
    now: () => now as never,
    newId: () => generateOnce((deps) => deps.newId()) as never,
    invocationId: new Parameter(({ deps }) => deps.invocationId) as never,
    keyring: { currentSecretId: new Parameter(({ deps }) => deps.keyring.currentSecretId) } as never,
  };
}

/** Generates the value once per use, so that it is the same wherever it is bound. */
function generateOnce(draw: (deps: StatementDeps) => unknown): Parameter {
  const parameter: Parameter = new Parameter(({ deps, drawn }) => {
    if (!drawn.has(parameter)) drawn.set(parameter, draw(deps));
    return drawn.get(parameter);
  });
  return parameter;
}
