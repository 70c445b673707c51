import { getTableConfig } from "drizzle-orm/sqlite-core";
import { otherRetention, type PurgeRule, purgeRules } from "../../src/tasks/retention.ts";

const HOUR_MS = 3_600_000;

export const tableOf = ({ table }: PurgeRule) => getTableConfig(table).name;

/** A name of the rule's own: a table may have two. */
export const nameOf = (rule: PurgeRule) => `${tableOf(rule)}.${rule.since.name}`;

/** What the README says of each table: how long its rows are kept, and what ends them. */
export function describeRetention(): string[][] {
  const purged = Map.groupBy(purgeRules, tableOf);
  const rows = [...purged].map(([table, rules]) => [table, rules.map(describeRule).join("; ")]);
  return [...rows, ...Object.entries(otherRetention)];
}

function describeRule({ since, keptMs, by, among, becomes, reason }: PurgeRule): string {
  const column = `\`${since.name}\``;
  const time = keptMs === 0 ? `until ${column}` : `${lengthOf(keptMs)} from ${column}`;
  const which = among === undefined ? "" : `, where ${sqlOf(among)}`;
  const why = reason === undefined ? "" : ` (${reason})`;
  return `${time}${which}${becomes ? ", then marked ended" : ""}, by ${by}${why}`;
}

function lengthOf(ms: number): string {
  const hours = ms / HOUR_MS;
  const [count, unit] = hours % 24 === 0 ? [hours / 24, "day"] : [hours, "hour"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

const sqlOf = (condition: NonNullable<PurgeRule["among"]>) =>
  condition.queryChunks.map((chunk) => (chunk as { value: string[] }).value.join("")).join("");
