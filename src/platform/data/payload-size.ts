/** The largest payload of an event, a dead letter or an event of another service, in bytes of UTF-8. */
export const MAX_PAYLOAD_BYTES = 64 * 1024;

const encoder = new TextEncoder();

/** The length of the text in bytes of UTF-8. */
export function byteLength(text: string): number {
  return encoder.encode(text).length;
}

/** Why a text may not be a payload; undefined where it may. */
export function payloadRefusal(text: string): string | undefined {
  return fitsPayload(text) ? undefined : `too large: ${byteLength(text)} bytes, more than ${MAX_PAYLOAD_BYTES}`;
}

/** Whether the text may be stored or taken as a payload. */
export function fitsPayload(text: string): boolean {
  // No character takes more than three bytes for each of its UTF-16 units, so that most texts need no encoding.
  return text.length * 3 <= MAX_PAYLOAD_BYTES || byteLength(text) <= MAX_PAYLOAD_BYTES;
}
