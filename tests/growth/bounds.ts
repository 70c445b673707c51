import type { Cost } from "./measure.ts";

/** A cost that differs between few and many users, and its bound. */
export interface Bound {
  /** What was measured: its name or its outcome. */
  of: RegExp;
  /** The maximum of each cost that differs. */
  most: Partial<Cost>;
  reason: string;
}

/** A lookup reads one more row if its key is not the last of the index, at most once per lookup. */
export const ROWS_OF_CHANCE = 8;

export const bounds: readonly Bound[] = [
  {
    of: /^GET \/api\/users\/notifications\b/,
    most: { rowsRead: 80 },
    reason: "A page of at most page_size rows, read by index; triggers keep the unread count.",
  },
  {
    of: /^GET \/api\/users\/kyc\/submissions .*(?:\?|as it is)/,
    most: { rowsRead: 420 },
    reason: "A page of at most 50 submissions, each with its user and the oldest other one of its number.",
  },
  {
    of: /^GET \/api\/users\/\{id\}\/audit-logs\b/,
    most: { rowsRead: 150 },
    reason: "A page of the user's log, read by index.",
  },
  {
    of: /^GET \/api\/users (?:\?|as it is|with a date filter)/,
    most: { rowsRead: 2_600 },
    reason: "A page of the list or of a search, which reads a limited part of the index.",
  },
  {
    of: /^GET \/dev\/outbox/,
    most: { rowsRead: 30_000 },
    reason: "In development only: the messages of two weeks are sorted. The table is empty in production.",
  },
  {
    of: /^job /,
    most: { rowsRead: 12_000, rowsWritten: 3_000 },
    reason: "A step processes a fixed number of rows, more than the work of few users provides.",
  },
];
