/** Smallest UUIDv7 with the given time (RFC 9562 section 5.7); UUIDv7 ids sort by creation time. */
export function firstIdAt(instant: number): string {
  const hex = instant.toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

/** The time of a UUIDv7 (epoch ms): its first 48 bits. */
export const timeOfId = (id: string): number => Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);
