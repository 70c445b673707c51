import { DAY_MS, HOUR_MS } from "../../platform/time.ts";

/** How often a user may export their data; further pages of an export are not counted. */
export const exportsPerDay = { count: 3, windowMs: DAY_MS } as const;

/** How long after its first page an export can be continued, in milliseconds. */
export const EXPORT_LIFE_MS = HOUR_MS;

/** Number of entries of each list on a page. */
export const EXPORT_PAGE = 500;
