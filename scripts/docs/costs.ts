import { backgroundCosts } from "../operations/background-costs.ts";
import { callCosts } from "../operations/call-costs.ts";
import { flowCosts } from "../operations/flow-costs.ts";
import { type MeasuredCall, priceOf } from "../operations/prices.ts";
import { billOf, type Profile } from "../operations/profile.ts";
import { table } from "./markdown.ts";

/** CPU milliseconds of a call, where `npm run costs` names no other figure. */
export const DEFAULT_CPU_MS = 5;

export const callCostTable = () =>
  table(
    ["Route", "D1 round trips", "KV calls", "Rows read", "Rows written"],
    Object.entries(callCosts).map(([route, { d1, kv, rowsRead, rowsWritten }]) => [
      route,
      d1,
      kv,
      rowsRead,
      rowsWritten,
    ]),
  );

/** What each flow costs in production as a whole. */
export const flowCostTable = () =>
  table(
    ["Flow", "D1 round trips", "Rows written"],
    Object.entries(flowCosts).map(([flow, { trips, rowsWritten }]) => [flow, trips, rowsWritten]),
  );

/** Dollars for a million calls of each route whose background work is measured too. */
export function priceTable(cpuMs: number = DEFAULT_CPU_MS): string[] {
  const rows = Object.entries(backgroundCosts).map(([route, background]) => {
    const cost = callCosts[route];
    if (!cost) throw new Error(`no measured cost of ${route}`);
    const call: MeasuredCall = { cpuMs, rowsRead: cost.rowsRead, rowsWritten: cost.rowsWritten, background };
    const { worker, d1, kv, queues } = priceOf(call);
    return [route, ...[worker, d1, kv, queues, worker + d1 + kv + queues].map((amount) => amount.toFixed(2))];
  });
  return table(["Route", "Requests and CPU", "D1", "KV", "Queues", "Sum"], rows);
}

/** The bill of a month with this many users. */
export function billTable(users: number, profile: Profile): string[] {
  const lines = billOf(users, profile);
  const total = lines.reduce((sum, { dollars }) => sum + dollars, 0);
  const rows = lines.map(({ what, used, dollars }) => [
    what,
    Math.round(used).toLocaleString("en"),
    dollars.toFixed(2),
  ]);
  return table(["What", "Used", "Dollars"], [...rows, ["sum", "", total.toFixed(2)]]);
}
