import { defaultProfile } from "../operations/profile.ts";
import { alertSections } from "./alerts.ts";
import { billTable, callCostTable, flowCostTable, priceTable } from "./costs.ts";
import { deviationList } from "./deviations.ts";
import { errorTable, errorTextTable, fieldErrorTable } from "./errors.ts";
import { fixedValueTable } from "./fixed-values.ts";
import { latencyTable, peerLatencyTable } from "./latency.ts";
import { limitTable } from "./limits.ts";
import { retentionTable } from "./retention.ts";
import { routeTable } from "./routes.ts";
import { secretTable, variableTable } from "./settings.ts";
import { storedKeyTable } from "./stored-keys.ts";
import { taskTable } from "./tasks.ts";

/** What the pages below docs/ take from the code, by the name in their markers: `<!-- generated: limits -->`. */
export const generated: Readonly<Record<string, () => string[]>> = {
  alerts: alertSections,
  bill: () => billTable(1_000_000, defaultProfile),
  "call-costs": callCostTable,
  deviations: deviationList,
  errors: errorTable,
  "error-texts": errorTextTable,
  "field-errors": fieldErrorTable,
  "fixed-values": fixedValueTable,
  "flow-costs": flowCostTable,
  latency: () => latencyTable(),
  "latency-peer": () => peerLatencyTable(),
  limits: limitTable,
  prices: () => priceTable(),
  retention: retentionTable,
  routes: routeTable,
  secrets: secretTable,
  "stored-keys": storedKeyTable,
  tasks: taskTable,
  variables: variableTable,
};

const MARKED = /(<!-- generated: ([\w-]+) -->\n)(?:(?!<!-- generated:)[\s\S])*?(<!-- end -->)/g;

/** Names of the generated sections of a page. */
export const tablesOf = (page: string): string[] => [...page.matchAll(MARKED)].map(([, , name = ""]) => name);

/**
 * The page with the text between its markers regenerated.
 *
 * @throws Error if a marker names nothing that is generated, or a start or an end has no counterpart.
 */
export function fillPage(page: string): string {
  const starts = page.match(/<!-- generated: /g) ?? [];
  const ends = page.match(/<!-- end -->/g) ?? [];
  const pairs = page.match(MARKED) ?? [];
  if (starts.length !== pairs.length || ends.length !== pairs.length) {
    throw new Error(`${starts.length} starts, ${ends.length} ends and ${pairs.length} pairs of markers`);
  }
  return page.replaceAll(MARKED, (_, start: string, name: string, end: string) => {
    const lines = generated[name];
    if (!lines) throw new Error(`nothing is generated under the name ${name}`);
    return `${start}\n${lines().join("\n")}\n\n${end}`;
  });
}
