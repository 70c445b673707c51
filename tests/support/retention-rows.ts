import { env } from "cloudflare:workers";
import { sqlOf, tableOf } from "../../scripts/docs/retention.ts";
import type { PurgeRule } from "../../src/tasks/retention.ts";
import { insertManyPeople, numbers } from "./people-rows.ts";
import { nameOf } from "./retention.ts";

const DAY_MS = 86_400_000;

interface Column {
  name: string;
  type: string;
  notnull: number;
  dflt_value: string | null;
}

/** Columns that a row needs besides its age, so that no other rule of the table applies. */
const others: Readonly<Record<string, (instant: number) => Record<string, unknown>>> = {
  "otp_challenges.created_at": () => ({ sealed_code: "sealed" }),
  "sessions.absolute_expires_at": (instant) => ({ idle_expires_at: instant - DAY_MS }),
  "sessions.revoked_at if revoked_at is not null and revoked_reason is not 'refresh_reuse'": () => ({
    absolute_expires_at: 9e15,
    idle_expires_at: 9e15,
  }),
  "sessions.revoked_at if revoked_reason = 'refresh_reuse'": () => ({
    absolute_expires_at: 9e15,
    idle_expires_at: 9e15,
    revoked_reason: "refresh_reuse",
  }),
};

/**
 * Inserts `count` rows whose age counts from `instant` under the rule.
 *
 * @returns FROM and WHERE that find those of them to which the rule has not been applied.
 */
export async function insertPurgeable(
  rule: PurgeRule,
  instant: number,
  prefix: string,
  count: number,
): Promise<string> {
  const table = tableOf(rule);
  const { results: columns } = await env.DB.prepare(`select * from pragma_table_info('${table}')`).all<Column>();
  const given: Record<string, unknown> = { ...others[nameOf(rule)]?.(instant) };
  const own = `'${prefix}-' || value`;
  const since = rule.write ? `'${rule.write(instant)}' || '-${prefix}-' || value` : String(instant);
  const values: Record<string, string> = { [rule.since.name]: since };
  for (const { name, type, notnull, dflt_value } of columns) {
    if (name in values) continue;
    if (name in given) values[name] = typeof given[name] === "string" ? `'${given[name]}'` : String(given[name]);
    else if (notnull && dflt_value === null) values[name] = type.toLowerCase() === "integer" ? "0" : own;
  }
  if (values.user_id === own) await insertManyPeople(prefix, count, { joined: 0, fullName: "Asha Gurung" });
  const names = Object.keys(values);
  await env.DB.prepare(
    `insert into ${table} (${names.join()}) select ${Object.values(values).join()} from ${numbers("?1")}`,
  )
    .bind(count)
    .run();
  const label = names.find((name) => values[name] === own || (rule.write && name === rule.since.name)) ?? "";
  return `from ${table} where ${label} glob '*${prefix}-*'${rule.becomes && rule.among ? ` and ${sqlOf(rule.among)}` : ""}`;
}
