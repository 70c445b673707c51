import { testEnv } from "./client.ts";

/** Everything that the stores hold, as texts: each row of each table, each entry of KV, each object of R2. */
export async function dumpStores(): Promise<{ where: string; text: string }[]> {
  const { DB, KV, KYC_BUCKET } = testEnv;
  const tables = await DB.prepare(
    "select name from sqlite_master where type = 'table' and name not glob 'sqlite_*' and name not glob '_cf_*' and name not glob 'd1_*'",
  ).all<{ name: string }>();
  const dump: { where: string; text: string }[] = [];
  for (const { name } of tables.results) {
    const { results } = await DB.prepare(`select * from ${name}`).all();
    for (const row of results) dump.push({ where: name, text: JSON.stringify(row) });
  }
  const { keys } = await KV.list();
  for (const { name } of keys) dump.push({ where: "KV", text: `${name} ${await KV.get(name)}` });
  const { objects } = await KYC_BUCKET.list();
  for (const { key } of objects) dump.push({ where: "R2", text: key });
  return dump;
}

/** Where any of the words still stands. */
export async function findTraces(words: readonly string[]): Promise<{ where: string; word: string; text: string }[]> {
  const dump = await dumpStores();
  return dump.flatMap(({ where, text }) =>
    words.filter((word) => text.includes(word)).map((word) => ({ where, word, text })),
  );
}
