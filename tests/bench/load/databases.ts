import { globSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { keepingSentEvents } from "../../support/sent-events.ts";

/** Path of the local database of this kind in a server's folder that has this table. */
export function databaseWith(persist: string, kind: "d1" | "r2", table: string): string {
  for (const path of globSync(join(persist, "v3", kind, "*", "*.sqlite"))) {
    const database = new DatabaseSync(path, { readOnly: true });
    const found = database.prepare("select 1 from sqlite_master where name = ?").get(table);
    database.close();
    if (found) return path;
  }
  throw new Error(`no ${kind} database in ${persist} has a table ${table}`);
}

export type Row = Record<string, string | number | null>;

/** Opens a database for reading and returns a query function. */
export function reader(path: string): (sql: string, ...values: (string | number)[]) => Row[] {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  return (sql, ...values) => database.prepare(sql).all(...values) as Row[];
}

/** From now on, the server's database keeps sent events in the view `recorded_events`; see `keepingSentEvents`. */
export function keepEvents(persist: string): void {
  const database = new DatabaseSync(databaseWith(persist, "d1", "users"), { timeout: 5000 });
  for (const statement of keepingSentEvents) database.exec(statement);
  database.close();
}

/** Makes users staff directly in the database, because no route makes the first one. */
export function makeStaff(persist: string, userIds: readonly string[]): void {
  const database = new DatabaseSync(databaseWith(persist, "d1", "users"), { timeout: 5000 });
  for (const id of userIds) database.prepare("update users set role = 'staff' where id = ?").run(id);
  database.close();
}
