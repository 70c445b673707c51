/**
 * The first 48 bits, as text, of every UUIDv7 of the given time (epoch ms; RFC 9562 section 5.7). It sorts before these
 * ids and after all earlier ones.
 */
export function firstIdAt(instant: number): string {
  const hex = instant.toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

/**
 * The smallest UUIDv7 in the window of the last `windowMs`, as text. An id exactly `windowMs` old has left the window, so
 * a caller who waits until then is not refused again.
 */
export const firstIdInWindow = (now: number, windowMs: number): string => firstIdAt(now - windowMs + 1);

/** The time of a UUIDv7 (epoch ms): its first 48 bits. */
export const timeOfId = (id: string): number => Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);
