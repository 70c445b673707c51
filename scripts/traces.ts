import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { getPlatformProxy } from "wrangler";

const root = join(import.meta.dirname, "..");
const state = process.env.PERSIST_TO ?? join(root, ".wrangler", "state");

interface Trace {
  where: string;
  word: string;
}

/** Where any of the words stands in the local D1, KV and R2, beside a server that runs on them. */
export async function findTraces(words: readonly string[]): Promise<Trace[]> {
  for (let tries = 1; ; tries++) {
    try {
      return await lookFor(words);
    } catch (error) {
      // The server may be writing just when its databases are opened here.
      if (tries === 3) throw error;
      await sleep(1_000);
    }
  }
}

async function lookFor(words: readonly string[]): Promise<Trace[]> {
  const { env, dispose } = await getPlatformProxy<Env>({
    configPath: join(root, "wrangler.toml"),
    persist: { path: join(state, "v3") },
  });
  try {
    const { DB, KV, KYC_BUCKET } = env;
    const tables = await DB.prepare(
      "select name from sqlite_master where type = 'table' and name not glob 'sqlite_*' and name not glob '_cf_*'",
    ).all<{ name: string }>();
    const texts: { where: string; text: string }[] = [];
    for (const { name } of tables.results) {
      const { results } = await DB.prepare(`select * from ${name}`).all();
      texts.push(...results.map((row) => ({ where: `D1 ${name}`, text: JSON.stringify(row) })));
    }
    const { keys } = await KV.list();
    texts.push(...keys.map(({ name }) => ({ where: "KV", text: name })));
    const { objects } = await KYC_BUCKET.list();
    texts.push(...objects.map(({ key }) => ({ where: "R2", text: key })));
    return texts.flatMap(({ where, text }) =>
      words.filter((word) => text.includes(word)).map((word) => ({ where, word })),
    );
  } finally {
    await dispose();
  }
}
