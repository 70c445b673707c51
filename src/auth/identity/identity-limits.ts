import { DAY_MS } from "../../platform/time.ts";

/**
 * How long a user's change of an identifier can be undone, in milliseconds. Meanwhile the identifier that the account
 * lost belongs to nobody else: longer than a weekend without reading messages, far shorter than it takes until a
 * telephone number is sold again.
 */
export const UNDO_WINDOW_MS = 7 * DAY_MS;

/** How often a user may change identifiers. */
export const changesPerDay = { count: 5, windowMs: DAY_MS } as const;
