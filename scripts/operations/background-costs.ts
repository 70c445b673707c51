/** Costs of a call beyond the rows of `CallCost`; tests/background-costs.test.ts measures them. */
export interface BackgroundCost {
  /** KV operations of the call itself and of everything that it causes. */
  kvReads: number;
  kvWrites: number;
  /** All messages that the call causes, including those that a consumer sends on. */
  messages: number;
  /** Rows that the consumers read. */
  rowsRead: number;
  rowsWritten: number;
}

/** By route, named as in `callCosts`. */
export const backgroundCosts: Record<string, BackgroundCost> = {
  "otp/request": { kvReads: 0, kvWrites: 1, messages: 0, rowsRead: 0, rowsWritten: 0 },
  "otp/verify": { kvReads: 1, kvWrites: 0, messages: 0, rowsRead: 0, rowsWritten: 0 },
  register: { kvReads: 0, kvWrites: 0, messages: 2, rowsRead: 17, rowsWritten: 3 },
  login: { kvReads: 0, kvWrites: 0, messages: 0, rowsRead: 0, rowsWritten: 0 },
  refresh: { kvReads: 1, kvWrites: 0, messages: 0, rowsRead: 0, rowsWritten: 0 },
  logout: { kvReads: 0, kvWrites: 1, messages: 0, rowsRead: 0, rowsWritten: 0 },
  me: { kvReads: 0, kvWrites: 0, messages: 0, rowsRead: 0, rowsWritten: 0 },
  wallet: { kvReads: 0, kvWrites: 0, messages: 0, rowsRead: 0, rowsWritten: 0 },
  "usage-stats": { kvReads: 0, kvWrites: 0, messages: 0, rowsRead: 0, rowsWritten: 0 },
};
