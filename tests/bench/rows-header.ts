/** Rows that each statement read, in their order, a list for each trip: `DB:1+21, SEARCH:40`. */
export const ROWS_HEADER = "x-rows-read";
