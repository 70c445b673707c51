import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, expect } from "vitest";
import { checkNewPlans } from "./plans/check-plans.ts";
import { planExceptions } from "./plans/plan-exceptions.ts";
import { collectStatements } from "./plans/sent-statements.ts";
import { forgettingSentEvents } from "./sent-events.ts";

const { MIGRATIONS, SEARCH_MIGRATIONS } = env as typeof env & Record<`${string}MIGRATIONS`, D1Migration[]>;

refuseNetwork();
collectStatements();
afterAll(async () => {
  const plans = await checkNewPlans();
  // `npm run plans` collects these lines.
  console.log(JSON.stringify({ event: "plans", exceptions: planExceptions.length, plans }));
  expect(plans.filter(({ faults }) => faults.length > 0)).toEqual([]);
});
await applyD1Migrations(env.DB, MIGRATIONS ?? []);
await applyD1Migrations(env.SEARCH_DB, SEARCH_MIGRATIONS ?? []);

await env.DB.batch(forgettingSentEvents.map((statement) => env.DB.prepare(statement)));

// Test files in one process share its storage. Each starts with empty storage, so that their order does not matter.
await emptyTables(env.DB, "user_counts");
await env.SEARCH_DB.prepare("insert into user_search (user_search) values ('delete-all')").run();
await emptyTables(env.SEARCH_DB);
await emptyKv();
await emptyBucket();

/** Deletes all rows of all tables except those named; triggers update what they maintain. */
async function emptyTables(db: D1Database, ...kept: string[]): Promise<void> {
  const { results } = await db
    .prepare(
      `select name from pragma_table_list where schema = 'main' and type = 'table' and name not in (${kept.map(() => "?").join()})
        and name not like 'sqlite@_%' escape '@' and name not like '@_cf@_%' escape '@' and name <> 'd1_migrations'`,
    )
    .bind(...kept)
    .all<{ name: string }>();
  const deletions = results.map(({ name }) => db.prepare(`delete from "${name}"`));
  if (deletions.length > 0) await db.batch([db.prepare("pragma defer_foreign_keys = on"), ...deletions]);
}

async function emptyKv(): Promise<void> {
  const { keys, list_complete: isWhole } = await env.KV.list();
  await Promise.all(keys.map(({ name }) => env.KV.delete(name)));
  if (!isWhole) await emptyKv();
}

async function emptyBucket(): Promise<void> {
  const { objects, truncated } = await env.KYC_BUCKET.list();
  if (objects.length > 0) await env.KYC_BUCKET.delete(objects.map(({ key }) => key));
  if (truncated) await emptyBucket();
}

/** Requests that no test replaces reach this machine alone, so that no test depends on the network. */
function refuseNetwork(): void {
  const { fetch: real } = globalThis;
  if (real.name === "localFetch") return;
  globalThis.fetch = function localFetch(input, init) {
    const { hostname } = new URL(input instanceof Request ? input.url : input);
    if (hostname === "localhost" || hostname === "127.0.0.1") return real(input, init);
    return Promise.reject(new TypeError(`a test would call ${hostname}`));
  };
}
