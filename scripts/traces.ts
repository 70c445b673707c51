import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { getPlatformProxy } from "wrangler";
import { stateFolder } from "./operations/local-database.ts";

const root = join(import.meta.dirname, "..");

interface Trace {
  where: string;
  word: string;
}

/**
 * Finds where any of the words occur in the local databases, KV names and R2 keys below `state`; a server may be
 * running.
 */
export async function findTraces(words: readonly string[], state = stateFolder()): Promise<Trace[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await lookFor(words, state);
    } catch (error) {
      // The server may be writing at this moment.
      if (attempt === 3) throw error;
      await sleep(1_000);
    }
  }
}

async function lookFor(words: readonly string[], state: string): Promise<Trace[]> {
  const { env, dispose } = await getPlatformProxy<Env>({
    configPath: join(root, "wrangler.toml"),
    persist: { path: join(state, "v3") },
  });
  try {
    const { DB, SEARCH_DB, KV, KYC_BUCKET } = env;
    const inRows = [...(await findInRows(DB, "D1", words)), ...(await findInRows(SEARCH_DB, "SEARCH_DB", words))];
    const names = await listNames(KV, KYC_BUCKET);
    const inNames = names.flatMap(({ where, name }) =>
      words.filter((word) => name.includes(word)).map((word) => ({ where, word })),
    );
    return [...inRows, ...inNames];
  } finally {
    await dispose();
  }
}

/** One trace per table and word; skips full-text indexes, which store no text. */
async function findInRows(db: D1Database, binding: string, words: readonly string[]): Promise<Trace[]> {
  const tables = await db
    .prepare(
      `select name, (select 'concat_ws(char(10), ' || group_concat('t."' || c.name || '"') || ')'
          from pragma_table_info(m.name) c) as columns
        from sqlite_master m where type = 'table' and sql not like 'create virtual%' and name not glob 'user_search_*'
          and name not glob 'sqlite_*' and name not glob '_cf_*' and name not glob 'd1_*'`,
    )
    .all<{ name: string; columns: string }>();
  const found: Trace[] = [];
  for (const { name, columns } of tables.results) {
    const { results } = await db
      .prepare(`select distinct w.value as word from "${name}" t join json_each(?) w on instr(${columns}, w.value)`)
      .bind(JSON.stringify(words))
      .all<{ word: string }>();
    found.push(...results.map(({ word }) => ({ where: `${binding} ${name}`, word })));
  }
  return found;
}

async function listNames(kv: KVNamespace, bucket: R2Bucket): Promise<{ where: string; name: string }[]> {
  const names: { where: string; name: string }[] = [];
  for (let cursor: string | undefined, isDone = false; !isDone; ) {
    const page = await kv.list(cursor === undefined ? {} : { cursor });
    names.push(...page.keys.map(({ name }) => ({ where: "KV", name })));
    isDone = page.list_complete;
    cursor = page.list_complete ? undefined : page.cursor;
  }
  for (let cursor: string | undefined, isDone = false; !isDone; ) {
    const page = await bucket.list(cursor === undefined ? {} : { cursor });
    names.push(...page.objects.map(({ key }) => ({ where: "R2", name: key })));
    isDone = !page.truncated;
    cursor = page.truncated ? page.cursor : undefined;
  }
  return names;
}
