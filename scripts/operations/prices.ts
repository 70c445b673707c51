import type { BackgroundCost } from "./background-costs.ts";

/** What Cloudflare asks for a million of each on Workers Paid, in dollars, beyond what the plan includes. */
export const prices = {
  source:
    "Prices: the pricing pages of Workers, D1, KV and Queues at developers.cloudflare.com, looked up on 26 November 2026",
  requests: 0.3,
  cpuMs: 0.02,
  rowsRead: 0.001,
  rowsWritten: 1,
  kvReads: 0.5,
  kvWrites: 5,
  queueOperations: 0.4,
};

/** A message is written, read and deleted, each an operation of at most 64 KB. */
const OPERATIONS_A_MESSAGE = 3;

/** One call with everything that it leads to. */
export interface MeasuredCall {
  /** CPU of the call; a batch of a consumer is taken to use as much for each message. */
  cpuMs: number;
  rowsRead: number;
  rowsWritten: number;
  background: BackgroundCost;
}

/** Dollars for a million such calls. A consumer's invocation is no request that is billed; its CPU is. */
export function priceOf({ cpuMs, rowsRead, rowsWritten, background }: MeasuredCall) {
  const { kvReads, kvWrites, messages } = background;
  return {
    worker: prices.requests + prices.cpuMs * cpuMs * (1 + messages),
    d1:
      prices.rowsRead * (rowsRead + background.rowsRead) + prices.rowsWritten * (rowsWritten + background.rowsWritten),
    kv: prices.kvReads * kvReads + prices.kvWrites * kvWrites,
    queues: prices.queueOperations * OPERATIONS_A_MESSAGE * messages,
  };
}
