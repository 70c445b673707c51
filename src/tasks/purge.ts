import { type SQL, sql } from "drizzle-orm";
import { isOneOf } from "../platform/data/first-rows.ts";
import type { Chunk, JobDeps } from "./engine/job.ts";
import { isDue, type PurgeJob, type PurgeRule, purgeRules } from "./retention.ts";

/** Plans a chunk of at most `size` rows for the job's rule at the index in `cursor` (null for the first rule). */
export function planPurge(deps: JobDeps, by: PurgeJob, size: number, cursor: string | null, fence: SQL): Chunk {
  const rules = purgeRules.filter((rule) => rule.by === by);
  const index = Number(cursor ?? 0);
  const rule = rules[index];
  if (!rule) throw new Error(`${by} has no rule ${index}`);
  return {
    statements: { changed: purgeDueRows(deps, rule, size, fence) },
    next: (changed) => {
      const following = changed < size ? index + 1 : index;
      return following < rules.length ? String(following) : undefined;
    },
  };
}

function purgeDueRows(deps: JobDeps, rule: PurgeRule, size: number, fence: SQL) {
  const due = isOneOf(rule.table, sql`where ${isDue(rule, deps.now())} limit ${size}`);
  const where = sql`${due} and ${fence}`;
  const one = { one: sql`1` };
  return rule.becomes
    ? deps.db.update(rule.table).set(rule.becomes).where(where).returning(one)
    : deps.db.delete(rule.table).where(where).returning(one);
}
