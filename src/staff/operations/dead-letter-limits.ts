/** Maximum number of dead letters that one call settles. */
export const MAX_SETTLED = 50;
