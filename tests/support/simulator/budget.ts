import type { BindingCall } from "./scheduler.ts";

export interface Cost {
  /** Round trips before the response. */
  d1: number;
  search: number;
  kv: number;
  r2: number;
  queue: number;
  rowsRead: number;
  rowsWritten: number;
}

/** Cost of the calls: round trips before the response, and all rows read and written. */
export function costOf(log: readonly BindingCall[]): Cost {
  const trips = (binding: BindingCall["binding"]) =>
    log.filter((call) => call.binding === binding && call.beforeResponse).length;
  const sum = (pick: (call: BindingCall) => number) => log.reduce((total, call) => total + pick(call), 0);
  return {
    d1: trips("D1"),
    search: trips("SEARCH_DB"),
    kv: trips("KV"),
    r2: trips("R2"),
    queue: trips("QUEUE"),
    rowsRead: sum(({ rowsRead }) => rowsRead),
    rowsWritten: sum(({ rowsWritten }) => rowsWritten),
  };
}
