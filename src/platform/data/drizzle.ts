import { Column, NoopLogger, SQL } from "drizzle-orm";
import { NoopCache } from "drizzle-orm/cache/core";
import { D1PreparedQuery, DrizzleD1Database, SQLiteD1Session } from "drizzle-orm/d1";
import { OnePassDialect } from "./dialect.ts";

/** Drizzle on a D1 database. */
export type Database = DrizzleD1Database & { $client: D1Database };

/**
 * Returns a Drizzle database that compiles statements and decodes rows like Drizzle's own, with less CPU time.
 * `runBatch` sends them.
 */
export function drizzleOn(client: D1Database): Database {
  const known = databases.get(client);
  if (known) return known;
  const db = new DrizzleD1Database("async", dialect, new BatchSession(client, dialect, undefined), undefined);
  const database = Object.assign(db, { $client: client });
  // A missing binding surfaces on first use, not here.
  if (client) databases.set(client, database);
  return database;
}

/** Cached by binding, because bindings live as long as the isolate. */
const databases = new WeakMap<D1Database, Database>();

const dialect = new OnePassDialect();

type Base = SQLiteD1Session<Record<string, never>, Record<string, never>>;
type Fields = NonNullable<Parameters<Base["prepareQuery"]>[1]>;

/** Decodes rows without nested objects in one pass, and others as Drizzle does. */
class BatchSession extends SQLiteD1Session<Record<string, never>, Record<string, never>> {
  override prepareQuery(...[query, fields, method, isArray, mapper]: Parameters<Base["prepareQuery"]>) {
    const isFlat = method === "all" && fields?.every(({ path, field }) => path.length === 1 && decoderOf(field));
    const read = mapper ?? (isFlat ? flatReader(fields ?? []) : undefined);
    return new D1PreparedQuery(notPrepared, query, logger, cache, undefined, undefined, fields, method, isArray, read);
  }
}

/** Compiling a statement does not access the database. */
const notPrepared = undefined as unknown as D1PreparedStatement;
const logger = new NoopLogger();
const cache = new NoopCache();

function decoderOf(field: Fields[number]["field"]): Pick<Column, "mapFromDriverValue"> | undefined {
  if (field instanceof Column) return field;
  const own = field instanceof SQL.Aliased ? field.sql : field;
  return own instanceof SQL ? (own as unknown as { decoder: Column }).decoder : undefined;
}

/** Turns each row, whose values are in the order of the fields, into an object. */
function flatReader(fields: Fields): (rows: unknown[][]) => Record<string, unknown>[] {
  const columns = fields.map(({ path: [name = ""], field }) => ({ name, decoder: decoderOf(field) }));
  return (rows) =>
    rows.map((row) => {
      const read: Record<string, unknown> = {};
      for (const [i, { name, decoder }] of columns.entries()) {
        const value = row[i];
        read[name] = value === null ? null : decoder?.mapFromDriverValue(value);
      }
      return read;
    });
}
