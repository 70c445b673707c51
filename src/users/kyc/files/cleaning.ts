import type { FieldError } from "../../../platform/http/field-errors.ts";

/** A file as it may be stored, or why it is refused. */
export type Cleaning = { ok: true; bytes: Uint8Array<ArrayBuffer> } | Refusal;

export interface Refusal {
  ok: false;
  error: FieldError;
}

/** Side of the largest square picture; pictures of other shapes may have as many pixels (ASVS 5.2.6). */
const MAX_SIDE = 8192;
const MAX_PIXELS = MAX_SIDE * MAX_SIDE;
/** Ranges shorter than this are copied byte by byte, which costs less than creating a view of them. */
const SHORT_RANGE_BYTES = 64;
/** Room for the segments that a cleaning writes itself. */
const EXTRA_BYTES = 64;

export function refused(code: FieldError["code"], members: Omit<FieldError, "code"> = {}): Refusal {
  return { ok: false, error: { code, ...members } };
}

export const broken = refused("file_damaged");

/** Why a picture of this size is refused; undefined when it is accepted. */
export function findSizeProblem(width: number, height: number): Refusal | undefined {
  if (width === 0 || height === 0) return broken;
  if (width * height <= MAX_PIXELS) return undefined;
  return refused("too_many_pixels", { max: MAX_SIDE });
}

/** Collects the parts of a file that are kept, in order. */
export interface Keeper {
  /** Keeps the bytes from `start` up to `end`; parts that touch are merged. */
  keep(start: number, end: number): void;
  /** Adds bytes that the file does not have; 64 at most in all. */
  add(bytes: Uint8Array): void;
  /** Everything kept, in one piece; no copy where the file was kept from its start on. */
  finish(): Uint8Array<ArrayBuffer>;
}

/**
 * Starts to collect the parts of a file that are kept. A file of millions of parts costs one copy of itself, as a file of
 * few does: there is no object for a part.
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

/** Whether the bytes from `at` up to `end` begin with this text of ASCII. */
export function startsWith(bytes: Uint8Array, at: number, end: number, text: string): boolean {
  if (at + text.length > end) return false;
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Bytes as text of one character each; empty where the file ends earlier. */
export function latin1(bytes: Uint8Array, from: number, length: number): string {
  return from + length <= bytes.length ? String.fromCharCode(...bytes.subarray(from, from + length)) : "";
}

/** Four characters as the big-endian number that they are in a file. */
export function fourCharacters(text: string): number {
  return [...text].reduce((code, character) => ((code << 8) | character.charCodeAt(0)) >>> 0, 0);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
