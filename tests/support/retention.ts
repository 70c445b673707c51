import { sqlOf, tableOf } from "../../scripts/docs/retention.ts";
import { type PurgeRule, purgeRules } from "../../src/tasks/retention.ts";

const columnOf = (rule: PurgeRule) => `${tableOf(rule)}.${rule.since.name}`;

/** A name for each rule: its column, and its condition if another rule has that column. */
export function nameOf(rule: PurgeRule): string {
  const isAlone = purgeRules.filter((other) => columnOf(other) === columnOf(rule)).length === 1;
  return isAlone || !rule.among ? columnOf(rule) : `${columnOf(rule)} if ${sqlOf(rule.among)}`;
}
