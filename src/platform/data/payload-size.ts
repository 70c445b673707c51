/** Maximum payload of an event of any source or of a dead letter, in bytes of UTF-8. */
export const MAX_PAYLOAD_BYTES = 64 * 1024;

const encoder = new TextEncoder();

/** Length of the text in bytes of UTF-8. */
export function byteLength(text: string): number {
  return encoder.encode(text).length;
}

/** Reason why the text is too large for a payload; undefined if it is not. */
export function payloadRefusal(text: string): string | undefined {
  return fitsPayload(text) ? undefined : `too large: ${byteLength(text)} bytes, more than ${MAX_PAYLOAD_BYTES}`;
}

/** Whether the text is small enough for a payload. */
export function fitsPayload(text: string): boolean {
  // A UTF-16 unit takes at most three bytes in UTF-8, so most texts need no encoding.
  return text.length * 3 <= MAX_PAYLOAD_BYTES || byteLength(text) <= MAX_PAYLOAD_BYTES;
}
