/** Users who joined within one millisecond have places of their own. */
export const SORT_KEYS_PER_MS = 4096;

/** The place of a user in the order of joining: what the search index is numbered by. One near it where it is taken. */
export function sortKeyOf({ id, dateJoined }: { id: string; dateJoined: number }): number {
  return dateJoined * SORT_KEYS_PER_MS + (Number.parseInt(id.slice(-3), 16) || 0);
}
