/** A file as it may be kept, or why it may not. */
export type Cleaning = { ok: true; bytes: Uint8Array<ArrayBuffer> } | Refusal;

export interface Refusal {
  ok: false;
  /** For the person who sent it. */
  message: string;
}

/** Pixels that a picture may unpack to (ASVS 5.2.6): more than any phone's camera makes. */
const MAX_PIXELS = 50_000_000;
/** Bytes after a file's end that are dropped without a word: padding and line ends. */
const MAX_PADDING_BYTES = 16;

export function refused(message: string): Refusal {
  return { ok: false, message };
}

export const broken = refused("The file is damaged or was cut off. Send it again.");

/** Why a picture of this size is refused; undefined when it is not. */
export function findSizeProblem(width: number, height: number): Refusal | undefined {
  if (width === 0 || height === 0) return broken;
  return width * height > MAX_PIXELS ? refused("The picture is too large. It may have 50 megapixels.") : undefined;
}

/** More after the end of a file than padding: a second file, or something that only looks like the first. */
export function findTrailerProblem(trailer: Uint8Array): Refusal | undefined {
  return trailer.length > MAX_PADDING_BYTES
    ? refused("There is something else behind the end of the file.")
    : undefined;
}

/** The pieces one after another, in memory of their own. */
export function join(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Bytes as text of one character each; empty where they end before. */
export function latin1(bytes: Uint8Array, from: number, length: number): string {
  return from + length <= bytes.length ? String.fromCharCode(...bytes.subarray(from, from + length)) : "";
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
