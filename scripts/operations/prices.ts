import type { BackgroundCost } from "./background-costs.ts";

/** US dollars per million units on Workers Paid, beyond the included usage. */
export const prices = {
  source:
    "Prices: the pricing pages of Workers, D1, KV and Queues at developers.cloudflare.com, read on 26 November 2026",
  requests: 0.3,
  cpuMs: 0.02,
  rowsRead: 0.001,
  rowsWritten: 1,
  kvReads: 0.5,
  kvWrites: 5,
  queueOperations: 0.4,
};

/** US dollars per month of Workers Paid. */
export const PLAN_DOLLARS = 5;

/** Units per month that Workers Paid includes. */
export const included = {
  requests: 10_000_000,
  cpuMs: 30_000_000,
  rowsRead: 25_000_000_000,
  rowsWritten: 50_000_000,
  kvReads: 10_000_000,
  kvWrites: 1_000_000,
  queueOperations: 1_000_000,
};

/** A message of at most 64 KB costs one write, one read and one delete. */
export const OPERATIONS_PER_MESSAGE = 3;

/** The costs of a call, including everything that it causes. */
export interface MeasuredCall {
  /** CPU time of the call; a consumer is assumed to use the same for each message. */
  cpuMs: number;
  rowsRead: number;
  rowsWritten: number;
  background: BackgroundCost;
}

/**
 * US dollars for a million such calls. A consumer's invocation is not billed as a request, but its CPU time is billed.
 */
export function priceOf({ cpuMs, rowsRead, rowsWritten, background }: MeasuredCall) {
  const { kvReads, kvWrites, messages } = background;
  return {
    worker: prices.requests + prices.cpuMs * cpuMs * (1 + messages),
    d1:
      prices.rowsRead * (rowsRead + background.rowsRead) + prices.rowsWritten * (rowsWritten + background.rowsWritten),
    kv: prices.kvReads * kvReads + prices.kvWrites * kvWrites,
    queues: prices.queueOperations * OPERATIONS_PER_MESSAGE * messages,
  };
}
