import { type SQL, sql } from "drizzle-orm";
import { getTableConfig } from "drizzle-orm/sqlite-core";
import { runBatch } from "../platform/data/database.ts";
import { isOneOf, primaryKeyOf } from "../platform/data/first-rows.ts";
import type { Chunk, JobDeps } from "./engine/job.ts";
import { isDue, type PurgeJob, type PurgeRule, purgeRules } from "./retention.ts";

/** Where a purge continues: the index of its rule and, for a scan, the key after which the next chunk begins. */
type Position = [rule: number, ...after: unknown[]];

/** Plans a chunk of at most `size` rows for the job's rule at the position in `cursor` (null for the first rule). */
export async function planPurge(
  deps: JobDeps,
  by: PurgeJob,
  size: number,
  cursor: string | null,
  fence: SQL,
): Promise<Chunk> {
  const rules = purgeRules.filter((rule) => rule.by === by);
  const [index, ...after] = JSON.parse(cursor ?? "[0]") as Position;
  const rule = rules[index];
  if (!rule) throw new Error(`${by} has no rule ${index}`);
  const following = index + 1 < rules.length ? JSON.stringify([index + 1] satisfies Position) : undefined;
  if (rule.find === "key") {
    const due = isOneOf(rule.table, sql`where ${isDue(rule, deps.now())} limit ${size}`);
    return {
      statements: { changed: purgeRows(deps, rule, sql`${due} and ${fence}`) },
      next: (changed) => (changed < size ? following : (cursor ?? "[0]")),
    };
  }
  const { range, last } = await nextRange(deps, rule, size, after);
  const due = sql`${range} and ${isDue(rule, deps.now())} and ${fence}`;
  return {
    statements: { changed: purgeRows(deps, rule, due) },
    next: () => (last ? JSON.stringify([index, ...last] satisfies Position) : following),
  };
}

/**
 * The next `size` rows in the order of the primary key after the key `after`; `last` is undefined for the final range.
 */
async function nextRange(deps: JobDeps, { table }: PurgeRule, size: number, after: readonly unknown[]) {
  const columns = primaryKeyOf(table);
  const key = sql.join(
    columns.map((name) => sql.identifier(name)),
    sql`, `,
  );
  const tuple = (values: readonly unknown[]) =>
    sql.join(
      values.map((value) => sql`${value}`),
      sql`, `,
    );
  // Every key is greater than one of empty texts, so the first chunk is also a range of the primary key.
  const start = sql`(${key}) > (${tuple(after.length > 0 ? after : columns.map(() => ""))})`;
  const { found } = await runBatch(deps, {
    found: deps.db
      .select({ last: sql<string>`json_array(${key})`.as("last") })
      .from(sql`${sql.identifier(getTableConfig(table).name)}`)
      .where(start)
      .orderBy(key)
      .limit(1)
      .offset(size - 1),
  });
  const last = found[0] && (JSON.parse(found[0].last) as unknown[]);
  return { range: last ? sql`${start} and (${key}) <= (${tuple(last)})` : start, last };
}

function purgeRows(deps: JobDeps, rule: PurgeRule, where: SQL) {
  const one = { one: sql`1` };
  return rule.becomes
    ? deps.db.update(rule.table).set(rule.becomes.set).where(where).returning(one)
    : deps.db.delete(rule.table).where(where).returning(one);
}
