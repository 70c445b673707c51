import { databaseWith, reader } from "./load/databases.ts";

/**
 * Checks in the databases that an idle server has really done everything: all events are published, and the search has
 * every user.
 *
 * @throws Error otherwise.
 */
export function assertNothingIsLeft(persist: string): void {
  const count = (table: string, where = "true") => {
    const sql = `select count(*) as count from ${table} where ${where}`;
    return Number(reader(databaseWith(persist, "d1", table))(sql)[0]?.count);
  };
  const unsent = count("outbox");
  const missing = count("users") - count("search_entries", "text <> ''");
  if (unsent > 0 || missing !== 0) {
    throw new Error(`the server is idle, but ${unsent} events are unsent and ${missing} users are not in the search`);
  }
}
