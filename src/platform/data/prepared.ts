import type { BatchItem } from "drizzle-orm/batch";
import type { PreparedQuery } from "drizzle-orm/session";
import type { Deps } from "../deps.ts";

/** A statement of a batch. */
export type Statement = BatchItem<"sqlite">;

/** Statements by the names that their results get; undefined ones are left out. */
export type Statements = Record<string, Statement | undefined>;

/** What the functions that make statements take, of what is outside the process. */
export type StatementDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "keyring">;

/** A statement as it is sent, and how its result is read. */
interface Query {
  name: string;
  text: string;
  params: readonly unknown[];
  read: (result: D1Result) => unknown;
}

/** Statements that are ready to be sent in one trip, by the names that their results get. */
export class Batch<S extends Statements> {
  /** For the types alone. */
  declare readonly statements: S;
  readonly queries: readonly Query[];

  /** @throws Error where two statements have one name, since the result of one would be lost. */
  constructor(queries: readonly Query[]) {
    const names = new Set<string>();
    for (const { name } of queries) {
      if (names.has(name)) throw new Error(`two statements are named ${name}`);
      names.add(name);
    }
    this.queries = queries;
  }
}

/** Compiles the statements to SQL text and parameters, in their order; undefined ones are left out. */
export function compile<S extends Statements>(statements: S | Batch<S>): Batch<S> {
  if (statements instanceof Batch) return statements;
  const queries = Object.entries(statements).flatMap(([name, statement]) => {
    if (statement === undefined) return [];
    const query = (statement as unknown as { prepare(): PreparedQuery }).prepare();
    const { sql, params } = query.getQuery();
    return [{ name, text: sql, params, read: (result: D1Result) => query.mapResult(result, true) }];
  });
  return new Batch(queries);
}

/** What one use of prepared statements is made of. */
interface Use {
  deps: StatementDeps;
  /** What their function was called with, as `shapeOf` lists it. */
  values: readonly unknown[];
  /** What was drawn for it: the clock and ids. */
  drawn: Map<Parameter, unknown>;
}

const UNKNOWN = "a prepared statement is built before its values are known: derive from them with `derived`";

/** Stands for a value where a prepared statement is built; it can be bound, and derived from. */
class Parameter {
  /** What it is in a use. */
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

/** `map` of the value; of a value that is not known yet, a value that is not known yet. */
export function derived<T, U>(value: T, map: (value: T) => U): U {
  return value instanceof Parameter ? (new Parameter((use) => map(value.in(use) as T)) as U) : map(value);
}

/** The instant so many milliseconds after `instant`. */
export const after = (instant: number, milliseconds: number): number => derived(instant, (at) => at + milliseconds);

/** The instant so many milliseconds before `instant`. */
export const before = (instant: number, milliseconds: number): number => after(instant, -milliseconds);

/** A function that makes statements, which are written once for each shape of what it is called with. */
export class Preparation<Args extends readonly unknown[], S extends Statements> {
  readonly build: (deps: StatementDeps, ...args: Args) => S;
  readonly #trips = new Map<string, Batch<S>>();

  constructor(build: (deps: StatementDeps, ...args: Args) => S) {
    this.build = build;
  }

  /** The statements with what this call binds. */
  use(deps: StatementDeps, args: Args): Batch<S> {
    const values: unknown[] = [];
    const shape = shapeOf(args, values);
    let trip = this.#trips.get(shape);
    if (!trip) {
      let count = 0;
      const parameters = withParameters(args, () => {
        const at = count++;
        return new Parameter((use) => use.values[at]);
      });
      trip = compile(this.build(parametersOf(deps), ...(parameters as Args)));
      this.#trips.set(shape, trip);
    }
    const use: Use = { deps, values, drawn: new Map() };
    const bind = (value: unknown) => (value instanceof Parameter ? value.in(use) : value);
    return new Batch(trip.queries.map((query) => ({ ...query, params: query.params.map(bind) })));
  }
}

/**
 * Prepares statements: `build` is called once for each shape of its arguments, and what it makes is used from then on with
 * the values of each call. Booleans, what is absent, and `kind` are the shape, which `build` may decide by; every other
 * text, number and list is a value that it can bind or derive from, but not look at. Arguments are plain objects.
 */
export function prepared<Args extends readonly unknown[], S extends Statements>(
  build: (deps: StatementDeps, ...args: Args) => S,
): (deps: StatementDeps, ...args: Args) => Batch<S> {
  const preparation = new Preparation(build);
  return (deps, ...args) => preparation.use(deps, args);
}

const isValue = (given: unknown) => typeof given === "string" || typeof given === "number" || Array.isArray(given);

/** The shape of what is given; adds its values to `values`, in their order. */
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

/** What is given, with a parameter in place of each value, in the order of `shapeOf`. */
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
  const now = drawnOnce((deps) => deps.now());
  return {
    db,
    now: () => now as never,
    newId: () => drawnOnce((deps) => deps.newId()) as never,
    invocationId: new Parameter(({ deps }) => deps.invocationId) as never,
    keyring: { currentSecretId: new Parameter(({ deps }) => deps.keyring.currentSecretId) } as never,
  };
}

/** Drawn once in each use, so that it is the same wherever it is bound. */
function drawnOnce(draw: (deps: StatementDeps) => unknown): Parameter {
  const parameter: Parameter = new Parameter(({ deps, drawn }) => {
    if (!drawn.has(parameter)) drawn.set(parameter, draw(deps));
    return drawn.get(parameter);
  });
  return parameter;
}
