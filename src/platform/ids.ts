/** The least UUIDv7 of the instant (RFC 9562 section 5.7): ids sort by the time at which they were made. */
export function firstIdAt(instant: number): string {
  const hex = instant.toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}
