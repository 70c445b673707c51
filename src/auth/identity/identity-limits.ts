import { DAY_MS } from "../../platform/time.ts";

/**
 * How long a user's change of an identifier can be undone, in milliseconds. Until then nobody else can take the old
 * identifier. The window outlasts a weekend without reading messages and ends long before a phone number is resold.
 */
export const UNDO_WINDOW_MS = 7 * DAY_MS;

/** How often a user may change identifiers. */
export const changesPerDay = { count: 5, windowMs: DAY_MS } as const;
