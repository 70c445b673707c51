/**
 * The D1 queries that one invocation has sent, each statement of a batch counted. D1 refuses more than 1,000
 * (developers.cloudflare.com/d1/platform/limits), however many messages the invocation was given.
 */
export interface QueryCount {
  used: number;
}

/** Work that can continue later stops here; what remains is for the statements that end it, and for everything else. */
const SOFT_LIMIT = 700;

/** Whether the invocation may still begin a piece of work that can as well continue in a later one. */
export function hasQueriesLeft({ queries }: { queries: QueryCount }): boolean {
  return queries.used < SOFT_LIMIT;
}
