import { testEnv } from "./client.ts";

interface Trace {
  where: string;
  text: string;
}

/**
 * Finds the words in the rows of both databases (tables of SEARCH_DB as `search …`), in the names and values of KV, and
 * in the keys of R2. The table `sent_events` belongs to the tests.
 */
export async function findTraces(words: readonly string[]): Promise<Trace[]> {
  const { DB, SEARCH_DB, KV, KYC_BUCKET } = testEnv;
  const found = [...(await findInRows(DB, words)), ...(await findInRows(SEARCH_DB, words, "search "))];
  const isTelling = (text: string) => words.some((word) => text.includes(word));
  const { keys } = await KV.list();
  for (const { name } of keys) {
    const text = `${name} ${await KV.get(name)}`;
    if (isTelling(text)) found.push({ where: "KV", text });
  }
  const { objects } = await KYC_BUCKET.list();
  found.push(...objects.filter(({ key }) => isTelling(key)).map(({ key }) => ({ where: "R2", text: key })));
  return found;
}

async function findInRows(db: D1Database, words: readonly string[], prefix = ""): Promise<Trace[]> {
  const tables = await db
    .prepare(
      `select name, (select 'concat_ws(char(10), ' || group_concat('t."' || c.name || '"') || ')'
          from pragma_table_info(m.name) c) as columns
        from sqlite_master m where type = 'table' and sql not like 'create virtual%' and name not glob 'user_search_*'
          and name not glob 'sqlite_*' and name not glob '_cf_*' and name not glob 'd1_*' and name <> 'sent_events'`,
    )
    .all<{ name: string; columns: string }>();
  const found: Trace[] = [];
  for (const { name, columns } of tables.results) {
    const { results } = await db
      .prepare(`select * from "${name}" t where exists (select 1 from json_each(?) w where instr(${columns}, w.value))`)
      .bind(JSON.stringify(words))
      .all();
    found.push(...results.map((row) => ({ where: prefix + name, text: JSON.stringify(row) })));
  }
  return found;
}
