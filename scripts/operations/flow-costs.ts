/** What a flow costs in production, with deliveries, queues and tasks. `tests/flow-costs.test.ts` measures it. */
export interface FlowCost {
  /** D1 round trips to both databases. */
  trips: number;
  rowsWritten: number;
}

/**
 * By flow. A sign-in is from a known network and a day after the one before; a refresh is an hour after the last one. The
 * first code of a day also writes the row of the day's budget.
 */
export const flowCosts: Readonly<Record<string, FlowCost>> = {
  "sign-in by SMS": { trips: 5, rowsWritten: 14 },
  "sign-in by e-mail": { trips: 5, rowsWritten: 13 },
  "sign-up by SMS": { trips: 8, rowsWritten: 32 },
  "sign-up by e-mail": { trips: 8, rowsWritten: 30 },
  refresh: { trips: 1, rowsWritten: 3 },
  logout: { trips: 1, rowsWritten: 2 },
  me: { trips: 1, rowsWritten: 0 },
};
