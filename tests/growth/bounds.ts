import type { Cost } from "./measure.ts";

/** A cost that differs between few and many users, and where it ends. */
export interface Bound {
  /** What was measured, by its name or its outcome. */
  of: RegExp;
  /** The most that it may come to, of what differs. */
  most: Partial<Cost>;
  reason: string;
}

/** A look-up reads a row more where its key is not the last of the index: up to one for each that a call makes. */
export const ROWS_OF_CHANCE = 8;

export const bounds: readonly Bound[] = [
  {
    of: /^GET \/api\/users\/notifications\b/,
    most: { rowsRead: 80 },
    reason: "A page of at most 20 or what is asked for, by an index; the count is kept by triggers.",
  },
  {
    of: /^GET \/api\/users\/kyc\/submissions .*(?:\?|as it is)/,
    most: { rowsRead: 420 },
    reason: "A page of at most 50 submissions, each with its user and the oldest other one of its number.",
  },
  {
    of: /^GET \/api\/users\/\{id\}\/audit-logs\b/,
    most: { rowsRead: 150 },
    reason: "A page of the person's log, by an index.",
  },
  {
    of: /^GET \/api\/users (?:\?|as it is|of a period)/,
    most: { rowsRead: 2_600 },
    reason: "A page of the list, or of what a search finds in the parts of the index that it may read.",
  },
  {
    of: /^GET \/dev\/outbox/,
    most: { rowsRead: 30_000 },
    reason: "In development alone: the messages of two weeks are sorted. The table is empty in production.",
  },
  {
    of: /^job /,
    most: { rowsRead: 12_000, rowsWritten: 3_000 },
    reason: "A step takes a fixed number of rows, which the work of few users does not fill.",
  },
];
