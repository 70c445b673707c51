import { type SQL, sql } from "drizzle-orm";
import { getTableConfig } from "drizzle-orm/sqlite-core";
import type { Chunk, JobDeps } from "./engine/job.ts";
import { isDue, type PurgeJob, type PurgeRule, purgeRules } from "./retention.ts";

/** Plans the chunk, of `size` rows at most, that applies the rule which the cursor numbers, of the rules of the job. */
export function planPurge(deps: JobDeps, by: PurgeJob, size: number, cursor: string | null, fence: SQL): Chunk {
  const rules = purgeRules.filter((rule) => rule.by === by);
  const at = Number(cursor ?? 0);
  const rule = rules[at];
  if (!rule) throw new Error(`${by} has no rule ${at}`);
  return {
    statements: { changed: endDueRows(deps, rule, size, fence) },
    next: (changed) => {
      const following = changed < size ? at + 1 : at;
      return following < rules.length ? String(following) : undefined;
    },
  };
}

function endDueRows(deps: JobDeps, rule: PurgeRule, size: number, fence: SQL) {
  const name = sql.identifier(getTableConfig(rule.table).name);
  const due = sql`select rowid from ${name} where ${isDue(rule, deps.now())} limit ${size}`;
  const where = sql`rowid in (${due}) and ${fence}`;
  const one = { one: sql`1` };
  return rule.becomes
    ? deps.db.update(rule.table).set(rule.becomes).where(where).returning(one)
    : deps.db.delete(rule.table).where(where).returning(one);
}
