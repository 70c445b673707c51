import { testEnv } from "./client.ts";

/** Rows of each table, as JSON, by the table's name. */
export type Snapshot = Record<string, string>;

const known = new Map<D1Database, string[]>();

/** Every table that the migrations create, without FTS5 indexes and their internal tables. */
async function tablesOf(database: D1Database): Promise<string[]> {
  let names = known.get(database);
  if (!names) {
    const { results } = await database
      .prepare(
        `select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\'
          and name not like '\\_cf\\_%' escape '\\' and name not like 'user\\_search%' escape '\\' order by name`,
      )
      .all<{ name: string }>();
    names = results.map(({ name }) => name);
    known.set(database, names);
  }
  return names;
}

async function rowsOf(database: D1Database, prefix: string): Promise<Snapshot> {
  const names = await tablesOf(database);
  const answers = await database.batch(names.map((name) => database.prepare(`select * from "${name}"`)));
  return Object.fromEntries(names.map((name, i) => [prefix + name, JSON.stringify(answers[i]?.results)]));
}

/** Every row of every table of both databases. */
export async function takeSnapshot(): Promise<Snapshot> {
  const [users, search] = await Promise.all([rowsOf(testEnv.DB, ""), rowsOf(testEnv.SEARCH_DB, "search: ")]);
  return { ...users, ...search };
}

/** Names of the tables that differ. */
export const differing = (before: Snapshot, after: Snapshot): string[] =>
  Object.keys({ ...before, ...after }).filter((name) => before[name] !== after[name]);

/** Waits until queue consumers, which run concurrently with the test, have written everything. */
export async function untilQuiet(): Promise<void> {
  let last = await takeSnapshot();
  for (let same = 0, tries = 0; same < 3; tries++) {
    if (tries === 200) throw new Error("the databases keep changing");
    const next = await takeSnapshot();
    same = differing(last, next).length === 0 ? same + 1 : 0;
    last = next;
  }
}
