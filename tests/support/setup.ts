import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";

const { MIGRATIONS, SEARCH_MIGRATIONS } = env as typeof env & Record<`${string}MIGRATIONS`, D1Migration[]>;

await applyD1Migrations(env.DB, MIGRATIONS ?? []);
await applyD1Migrations(env.SEARCH_DB, SEARCH_MIGRATIONS ?? []);
// Calls that name no address come from this network: the codes that other files asked for there are not this one's.
await env.DB.prepare("delete from sms_send_limits where key = '203.0.113.0/24'").run();
