import type { FieldError } from "../../../platform/http/field-errors.ts";

/** The cleaned file, or why it is refused. */
export type Cleaning = { ok: true; bytes: Uint8Array<ArrayBuffer> } | Refusal;

export interface Refusal {
  ok: false;
  error: FieldError;
}

/** Side of the largest square image; other shapes may have the same number of pixels (ASVS 5.2.6). */
const MAX_SIDE = 8192;
const MAX_PIXELS = MAX_SIDE * MAX_SIDE;
/** Shorter ranges are copied byte by byte, which costs less than a view of them. */
const SHORT_RANGE_BYTES = 64;
/** Room for segments that the cleaning adds. */
const EXTRA_BYTES = 64;

export function refused(code: FieldError["code"], members: Omit<FieldError, "code"> = {}): Refusal {
  return { ok: false, error: { code, ...members } };
}

export const broken = refused("file_damaged");

/** Why an image of this size is refused; undefined if it is accepted. */
export function findSizeProblem(width: number, height: number): Refusal | undefined {
  if (width === 0 || height === 0) return broken;
  if (width * height <= MAX_PIXELS) return undefined;
  return refused("too_many_pixels", { max: MAX_SIDE });
}

/** Collects the parts of a file that are kept, in order. */
export interface Keeper {
  /** Keeps the bytes from `start` up to `end`; adjacent parts are merged. */
  keep(start: number, end: number): void;
  /** Adds bytes that are not in the file, at most 64 in total. */
  add(bytes: Uint8Array): void;
  /** All kept bytes in one array; a view without a copy if the kept part is the beginning of the file. */
  finish(): Uint8Array<ArrayBuffer>;
}

/**
 * Starts to collect the parts of a file that are kept. The parts are not objects, so that a file with millions of them
 * costs no more than one copy of itself.
 */
export function keeperOf(bytes: Uint8Array<ArrayBuffer>): Keeper {
  let out: Uint8Array<ArrayBuffer> | undefined;
  let length = 0;
  let start = 0;
  let end = 0;
  const flush = () => {
    out ??= new Uint8Array(bytes.length + EXTRA_BYTES);
    if (end - start < SHORT_RANGE_BYTES) {
      for (let at = start; at < end; at++) out[length++] = bytes[at] ?? 0;
    } else {
      out.set(bytes.subarray(start, end), length);
      length += end - start;
    }
    return out;
  };
  return {
    keep(from, to) {
      if (from !== end) {
        if (end > start) flush();
        start = from;
      }
      end = to;
    },
    add(extra) {
      flush().set(extra, length);
      length += extra.length;
      start = end;
    },
    finish() {
      if (!out && start === 0) return end === bytes.length ? bytes : bytes.subarray(0, end);
      return flush().subarray(0, length);
    },
  };
}

/** Whether the bytes from `at` up to `end` begin with this ASCII text. */
export function startsWith(bytes: Uint8Array, at: number, end: number, text: string): boolean {
  if (at + text.length > end) return false;
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Bytes as text, one character per byte; empty if the file ends too early. */
export function latin1(bytes: Uint8Array, from: number, length: number): string {
  return from + length <= bytes.length ? String.fromCharCode(...bytes.subarray(from, from + length)) : "";
}

/** Four ASCII characters as a big-endian number, which is how files store them. */
export function fourCharacters(text: string): number {
  return [...text].reduce((code, character) => ((code << 8) | character.charCodeAt(0)) >>> 0, 0);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
