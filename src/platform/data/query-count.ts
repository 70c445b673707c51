/**
 * Number of D1 queries that an invocation has sent, counting each statement of a batch. D1 allows 1,000 per invocation
 * (developers.cloudflare.com/d1/platform/limits), for all its messages together.
 */
export interface QueryCount {
  used: number;
}

/** Resumable work stops here; the remaining queries are for finishing it and for everything else. */
const SOFT_LIMIT = 700;

/** Whether the invocation may start another piece of resumable work. */
export function hasQueriesLeft({ queries }: { queries: QueryCount }): boolean {
  return queries.used < SOFT_LIMIT;
}
