import type { PlanLine } from "./sent-statements.ts";

/** Tables whose size does not depend on the number of users or their activity. */
export const SMALL_TABLES: Readonly<Record<string, string>> = {
  user_counts: "one row",
  provider_breakers: "a row for each provider that the code names",
  sms_budget_days: "a row a day, for 90 days",
  job_runs: "a row for each job and period, for 30 days",
  local_outbox: "empty in production",
};

/** Indexes that have few rows per key in any case, so that their rows may be sorted. */
const FEW_UNDER_A_KEY: Readonly<Record<string, string>> = {
  "sessions_live (user_id=?": "a sign-in keeps ten live sessions",
  "devices_device (user_id=?": "a registration keeps 20 devices",
  "social_accounts_user (user_id=?": "one account a provider",
  "otp_class_guards_1 (identifier=?": "two classes",
  "otp_challenges_identifier (identifier=?": "the codes that the daily limits allow, kept for a day",
};
const fewUnderKey = Object.keys(FEW_UNDER_A_KEY);

/** Rows of a bound list, of one row's JSON, of VALUES or of nothing: their number is set by the statement. */
const LISTED = /^SCAN (?:\S+ VIRTUAL TABLE INDEX \d+:$|(?:\d+ )?CONSTANT ROWS?|\d+-ROW VALUES CLAUSE)/;
/** The index provides the order except for the last terms, so only ties are sorted. */
const SORTS_TIES = /^USE TEMP B-TREE FOR LAST /;
/** FTS5 shows a MATCH or rowid lookup after the colon; without it, every entry is read. */
const LOOKED_UP = /^SCAN \S+ VIRTUAL TABLE INDEX \d+:\S/;

/** Why the cost of the line may grow with the number of rows; undefined if it does not. */
export function faultOf(
  line: PlanLine,
  plan: readonly PlanLine[],
  text: string,
  tables: ReadonlySet<string>,
): string | undefined {
  const { detail } = line;
  if (/\bAUTOMATIC\b/.test(detail)) return "builds an index for this one statement";
  if (detail.startsWith("USE TEMP B-TREE")) {
    const isHarmless = SORTS_TIES.test(detail) || sortsFew(line, plan, (name) => tableOf(name, text, tables));
    return isHarmless ? undefined : "collects rows to sort or count them";
  }
  const [, name] = detail.match(/^SCAN (\S+)/) ?? [];
  if (name === undefined || LOOKED_UP.test(detail)) return undefined;
  const table = tableOf(name, text, tables);
  if (table !== undefined) return table in SMALL_TABLES ? undefined : `reads every row of ${table}`;
  if (LISTED.test(detail) || isSubquery(name, text)) return undefined;
  return `scans ${name}, which no table, list or subquery of the statement is named`;
}

/** Whether the line sorts only rows of lists, small tables and keys with few rows. */
function sortsFew(
  { parent }: PlanLine,
  plan: readonly PlanLine[],
  findTable: (name: string) => string | undefined,
): boolean {
  const read = plan.filter((each) => each.parent === parent && /^(?:SCAN|SEARCH) /.test(each.detail));
  const isFew = ({ detail }: PlanLine) =>
    LISTED.test(detail) ||
    fewUnderKey.some((each) => detail.includes(each)) ||
    (findTable(detail.split(" ")[1] ?? "") ?? "") in SMALL_TABLES;
  return read.length > 0 && read.every(isFew);
}

const escaped = (name: string) => name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The table behind a name or alias in the plan. */
function tableOf(name: string, text: string, tables: ReadonlySet<string>): string | undefined {
  if (isCommonTable(name, text)) return undefined;
  if (tables.has(name)) return name;
  const aliases = text.matchAll(new RegExp(`"?(\\w+)"?\\s+(?:as\\s+)?"?${escaped(name)}"?(?![\\w"])`, "gi"));
  return [...aliases].map(([, before = ""]) => before).find((before) => tables.has(before));
}

/** Whether the name is a common table expression, whose reads have their own lines. */
const isCommonTable = (name: string, text: string) =>
  new RegExp(
    `(?:with|recursive|,)\\s+"?${escaped(name)}"?\\s*(?:\\([^()]*\\)\\s*)?as\\s+(?:(?:not\\s+)?materialized\\s+)?\\(`,
    "i",
  ).test(text);

const isSubquery = (name: string, text: string) =>
  name.startsWith("(") ||
  isCommonTable(name, text) ||
  new RegExp(`\\)\\s*(?:as\\s+)?"?${escaped(name)}"?(?![\\w"])`, "i").test(text);
