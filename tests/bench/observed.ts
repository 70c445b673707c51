/** Header with the rows that each statement read, in their order, a list for each trip: `DB:1+21, SEARCH:40`. */
export const ROWS_HEADER = "x-rows-read";

/** A request with this header is answered with what it sent to the database, as JSON: a list of `SentStatement`. */
export const STATEMENTS_HEADER = "x-statements";

export interface SentStatement {
  sql: string;
  params: unknown[];
}
