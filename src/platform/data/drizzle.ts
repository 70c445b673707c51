import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";

/** Drizzle on a D1 database. It writes statements and decodes rows; `runBatch` sends the statements to `$client`. */
export type Database = DrizzleD1Database & { $client: D1Database };

/** Cached by binding, because bindings live as long as the isolate. */
const databases = new WeakMap<D1Database, Database>();

/** Drizzle lets its client prepare each statement that it writes. Nothing needs that, so the client does nothing. */
const writingOnly = { prepare: () => undefined } as unknown as D1Database;

/** Returns Drizzle on the binding. */
export function drizzleOn(client: D1Database): Database {
  const known = databases.get(client);
  if (known) return known;
  const database = Object.assign(drizzle(writingOnly), { $client: client });
  // A missing binding surfaces on first use, not here.
  if (client) databases.set(client, database);
  return database;
}
