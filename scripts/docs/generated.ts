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

const MARKED = /(<!-- generated: ([\w-]+) -->\n)[\s\S]*?(<!-- end -->)/g;

/** Names of the tables that a page holds. */
export const tablesOf = (page: string): string[] => [...page.matchAll(MARKED)].map(([, , name = ""]) => name);

/**
 * The page with the text between its markers made anew.
 *
 * @throws Error when a marker names nothing that is generated.
 */
export function fillPage(page: string): string {
  return page.replaceAll(MARKED, (_, start: string, name: string, end: string) => {
    const lines = generated[name];
    if (!lines) throw new Error(`nothing is generated under the name ${name}`);
    return `${start}\n${lines().join("\n")}\n\n${end}`;
  });
}
