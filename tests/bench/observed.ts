/** Response header with the rows read by each statement in order, one list per round trip: `DB:1+21, SEARCH:40`. */
export const ROWS_HEADER = "x-rows-read";

/** Request header that makes the response a JSON list of `SentStatement`. */
export const STATEMENTS_HEADER = "x-statements";

export interface SentStatement {
  sql: string;
  params: unknown[];
}
