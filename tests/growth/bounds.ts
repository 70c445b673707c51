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
    of: /^GET \/api\/users\/export\b/,
    most: { rowsRead: 4_000 },
    reason: "A page of at most 500 entries of each of the user's lists, read by index.",
  },
  {
    of: /^GET (?:\/api\/)?users\/kyc\/submissions\b/,
    most: { rowsRead: 900, rowsWritten: 220 },
    reason:
      "A page of at most 50 submissions, each with its user, profile, viewers, the oldest other one of its number and a view.",
  },
  {
    of: /^GET \/api\/users\/\{id\}\/audit-logs of one type/,
    most: { rowsRead: 1_300 },
    reason:
      "A page of one type is looked for among at most 300 rows of the user's log, each counted in four nested queries.",
  },
  {
    of: /^GET \/api\/users\/\{id\}\/audit-logs\b/,
    most: { rowsRead: 460 },
    reason:
      "A page of 50 rows of the user's log, each counted in three nested queries; the caller's views of an hour are counted.",
  },
  {
    of: /^GET (?:\/api\/)?staff\/jobs\b/,
    most: { rowsRead: 70 },
    reason: "The last run of each job.",
  },
  {
    of: /^GET \/api\/users (?:\?|as it is|with a date filter)/,
    most: { rowsRead: 2_600 },
    reason: "A page of the list or of a search, which reads a limited part of the index.",
  },
  {
    of: /^(?:GET \/api\/users\/\{id\}(?:\/kyc)?|P\w+ \/api\/users\/\{id\}(?:\/(?:reveal|status|role|unlock|passkey-reset|kyc))?|POST \/api\/users) /,
    most: { rowsRead: 400 },
    reason:
      "The caller's views of an hour are counted, at most STAFF_VIEWS_PER_HOUR; the cases record a hundred of them.",
  },
  {
    of: /^GET \/api\/users\/\{id\}\/access\b/,
    most: { rowsRead: 80 },
    reason: "The newest 20 notifications, read by index.",
  },
  {
    of: /^GET \/api\/staff\/(?:dead-letters|audit-logs|members)\b/,
    most: { rowsRead: 920 },
    reason:
      "A page of dead letters from at most 300, counted in each of three nested queries; of one member's acts; or all " +
      "staff, each with a limited number of acts.",
  },
  {
    of: /^GET \/api\/staff\/overview\b/,
    most: { rowsRead: 26_000 },
    reason: "The hour that is not stored yet is counted, each figure from at most 5,000 rows.",
  },
  {
    of: /^GET \/api\/staff\/delivery\b/,
    most: { rowsRead: 5_100 },
    reason: "The codes of the last hour, at most 5,000.",
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
