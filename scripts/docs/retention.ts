import { getTableConfig } from "drizzle-orm/sqlite-core";
import { otherRetention } from "../../src/tasks/other-retention.ts";
import { type PurgeRule, purgeRules } from "../../src/tasks/retention.ts";
import { code, table } from "./markdown.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Name of the table that the rule deletes from. */
export const tableOf = ({ table }: PurgeRule) => getTableConfig(table).name;

/** How long each table keeps its rows, and what deletes them: name of the table, sentence. */
export function describeRetention(): [string, string][] {
  const purged = Map.groupBy(purgeRules, tableOf);
  const rows = [...purged].map(([name, rules]): [string, string] => [name, rules.map(describeRule).join(". ")]);
  return [...rows, ...Object.entries(otherRetention)];
}

export const retentionTable = () =>
  table(
    ["Table", "Rows are kept"],
    describeRetention().map(([name, rule]) => [code(name), rule]),
  );

function describeRule({ since, keptMs, by, among, becomes, reason }: PurgeRule): string {
  const column = code(since.name);
  const time = keptMs === 0 ? `until ${column}` : `${lengthOf(keptMs)} after ${column}`;
  const which = among === undefined ? "" : `, if \`${sqlOf(among)}\``;
  const why = reason === undefined ? "" : ` (${reason})`;
  return `${time}${which}${becomes ? `, then ${becomes.meaning}` : ""}; by ${code(by)}${why}`;
}

function lengthOf(ms: number): string {
  const [minutes, hours] = [ms / MINUTE_MS, ms / HOUR_MS];
  const [count, unit] = hours % 24 === 0 ? [hours / 24, "day"] : hours < 1 ? [minutes, "minute"] : [hours, "hour"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** The text of a condition without parameters. */
export const sqlOf = (condition: NonNullable<PurgeRule["among"]>) =>
  condition.queryChunks.map((chunk) => (chunk as { value: string[] }).value.join("")).join("");
