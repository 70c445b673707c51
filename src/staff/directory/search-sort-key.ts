/** Number of distinct sort keys per millisecond of joining time. */
export const SORT_KEYS_PER_MS = 4096;

/**
 * The user's sort key: the order of joining, which numbers the search index. If it is taken, the next free key is used.
 */
export function sortKeyOf({ id, dateJoined }: { id: string; dateJoined: number }): number {
  return dateJoined * SORT_KEYS_PER_MS + (Number.parseInt(id.slice(-3), 16) || 0);
}
