/** What one call in production asks of the bindings. `tests/budgets.test.ts` measures it. */
export interface CallCost {
  /** D1 round trips before the response. */
  d1: number;
  /** KV calls before the response. */
  kv: number;
  /** Rows over the whole invocation. Reads vary by a few with what else a table holds. */
  rowsRead: number;
  rowsWritten: number;
}

/**
 * By route. A sign-in is from a known network and a day after the one before; from an unknown network it writes up to 8
 * rows more. `otp/request`, with the delivery of its code, and `otp/verify` are those of such a sign-in by SMS; a code to
 * a number without an account writes a row more, and so does the first code of a day. A refresh is an hour after the last
 * one.
 */
export const callCosts: Readonly<Record<string, CallCost>> = {
  "otp/request": { d1: 1, kv: 0, rowsRead: 68, rowsWritten: 6 },
  "otp/verify": { d1: 1, kv: 1, rowsRead: 60, rowsWritten: 1 },
  register: { d1: 1, kv: 0, rowsRead: 84, rowsWritten: 21 },
  login: { d1: 1, kv: 0, rowsRead: 35, rowsWritten: 7 },
  refresh: { d1: 1, kv: 1, rowsRead: 6, rowsWritten: 3 },
  "refresh, less than 15 minutes after the last": { d1: 1, kv: 1, rowsRead: 5, rowsWritten: 1 },
  logout: { d1: 1, kv: 0, rowsRead: 10, rowsWritten: 2 },
  me: { d1: 1, kv: 0, rowsRead: 4, rowsWritten: 0 },
  wallet: { d1: 1, kv: 0, rowsRead: 5, rowsWritten: 0 },
  "usage-stats": { d1: 1, kv: 0, rowsRead: 4, rowsWritten: 0 },
  "google/token, new user": { d1: 1, kv: 0, rowsRead: 184, rowsWritten: 27 },
  "google/token, known user": { d1: 1, kv: 0, rowsRead: 112, rowsWritten: 6 },
  "apple/token, new user": { d1: 2, kv: 0, rowsRead: 226, rowsWritten: 28 },
  "apple/token, known user": { d1: 2, kv: 0, rowsRead: 143, rowsWritten: 7 },
  "google/login": { d1: 0, kv: 0, rowsRead: 0, rowsWritten: 0 },
  "google/start": { d1: 0, kv: 0, rowsRead: 0, rowsWritten: 0 },
  "google/callback": { d1: 2, kv: 0, rowsRead: 1, rowsWritten: 2 },
  "social/success, new user": { d1: 2, kv: 0, rowsRead: 189, rowsWritten: 27 },
};
