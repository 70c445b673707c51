import { AppError } from "./errors.ts";
import type { FieldErrorCode } from "./field-errors.ts";
import { malformed, type PartHead, readParameters, readPartHead } from "./part-head.ts";

/** A part of a form; its content is in pieces, as it arrived. */
export interface Part extends PartHead {
  pieces: Uint8Array[];
  /** Size of the content, in bytes. */
  size: number;
}

/** Limits of a multipart body. */
export interface MultipartLimits {
  /** Maximum size of the header fields of one part, in bytes. */
  headBytes: number;
  /** Maximum size of the content of one part, in bytes. */
  partBytes: number;
  /** Maximum number of parts. */
  parts: number;
  /** The error for a part whose content is too long. */
  partTooLarge(head: PartHead): AppError;
}

/** Replaces the value of a form field or query parameter that cannot be read as text. */
export class Misfit {
  readonly code: FieldErrorCode;
  constructor(code: FieldErrorCode) {
    this.code = code;
  }
}

const [CR, LF, DASH, SPACE, TAB, BACKSLASH] = [13, 10, 45, 32, 9, 92];
/** Maximum size of the text before the first delimiter, and of the padding after a delimiter. Clients send neither. */
const MAX_PREAMBLE_BYTES = 16 * 1024;
const MAX_PADDING_BYTES = 256;

const lineEnds = () =>
  malformed({
    en: "Lines of a multipart body must end with CRLF.",
    ne: "multipart अनुरोधका हरफ CRLF मा टुङ्गिनुपर्छ।",
  });

/**
 * The boundary of a multipart body.
 *
 * @throws AppError `validation_error` unless it has 1 to 70 characters (RFC 2046 section 5.1.1).
 */
export function boundaryOf(contentType: string): string {
  const boundary = readParameters(contentType).parameters.get("boundary") ?? "";
  if (!/^[\x20-\x7e]{1,70}$/.test(boundary)) throw malformed();
  return boundary;
}

/**
 * Returns a parser for a multipart body that arrives in blocks (RFC 7578; RFC 2046 section 5.1). `write` takes a block
 * and yields each part that ends in it. The preamble, padding after delimiters and everything after the last delimiter
 * are dropped. The time is linear in the number of bytes.
 *
 * @throws AppError, from `write`: `validation_error` for a malformed body, `payload_too_large` beyond the limits.
 */
export function multipartReader(boundary: string, limits: MultipartLimits) {
  const delimiter = new TextEncoder().encode(`\r\n--${boundary}`);
  let state: "preamble" | "head" | "content" | "closed" = "preamble";
  // The first delimiter may begin the body. A line end is put before it, so that it looks like the others.
  let pending: Uint8Array = new Uint8Array([CR, LF]);
  let part: Part | undefined;
  let parts = 0;
  let preambleBytes = 0;

  const take = (piece: Uint8Array) => {
    if (piece.length === 0) return;
    if (!part) {
      preambleBytes += piece.length;
      if (preambleBytes > MAX_PREAMBLE_BYTES) throw malformed();
      return;
    }
    part.size += piece.length;
    if (part.size > limits.partBytes) throw limits.partTooLarge(part);
    part.pieces.push(piece);
  };

  function* write(block: Uint8Array): Generator<Part> {
    const bytes = pending.length === 0 ? block : joined(pending, block);
    pending = new Uint8Array();
    let at = 0;
    while (state !== "closed") {
      if (state === "head") {
        const head = findHead(bytes, at, limits.headBytes);
        if (!head) break;
        if (++parts > limits.parts) throw new AppError("payload_too_large");
        part = { ...readPartHead(bytes.subarray(at, head.end)), pieces: [], size: 0 };
        at = head.next;
        state = "content";
      } else {
        const found = findDelimiter(bytes, at, delimiter);
        take(bytes.subarray(at, found.start));
        at = found.start;
        if (found.next === undefined) break;
        if (part) yield part;
        part = undefined;
        at = found.next;
        state = found.isLast ? "closed" : "head";
      }
    }
    pending = bytes.slice(at);
  }

  return { write, isClosed: () => state === "closed" };
}

/** The end of a part's header fields and the start of its content; undefined while the fields are incomplete. */
function findHead(bytes: Uint8Array, from: number, limit: number): { end: number; next: number } | undefined {
  let lineStart = from;
  for (let at = bytes.indexOf(LF, from); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    // A line feed after a backslash belongs to a file name: `FormData` in Workers escapes it this way.
    if (at > lineStart && bytes[at - 1] === BACKSLASH) continue;
    if (at === lineStart || bytes[at - 1] !== CR) throw lineEnds();
    // The line break before an empty line ends the last field.
    if (at - 1 === lineStart) return { end: Math.max(from, lineStart - 2), next: at + 1 };
    lineStart = at + 1;
    if (lineStart - from > limit) break;
  }
  if (bytes.length - from > limit) throw new AppError("payload_too_large");
  return undefined;
}

interface Found {
  /** Where the content ends, or the first byte that may belong to an incomplete delimiter. */
  start: number;
  /** The first byte after the delimiter's line; undefined if there is no delimiter, or it is incomplete. */
  next?: number;
  isLast?: boolean;
}

function findDelimiter(bytes: Uint8Array, from: number, delimiter: Uint8Array): Found {
  for (let start = nextCr(bytes, from); start !== -1; start = nextCr(bytes, start + 1)) {
    // The only carriage return of a delimiter is its first byte, so the search never has to go back after a mismatch.
    let length = 1;
    while (length < delimiter.length && bytes[start + length] === delimiter[length]) length++;
    let at = start + length;
    if (at === bytes.length) return { start };
    if (length < delimiter.length) continue;
    if (bytes[at] === DASH) {
      if (at + 1 === bytes.length) return { start };
      if (bytes[at + 1] === DASH) return { start, next: at + 2, isLast: true };
      continue;
    }
    while (bytes[at] === SPACE || bytes[at] === TAB) at++;
    if (at - start - length > MAX_PADDING_BYTES) throw malformed();
    if (at === bytes.length || (bytes[at] === CR && at + 1 === bytes.length)) return { start };
    if (bytes[at] === CR && bytes[at + 1] === LF) return { start, next: at + 2, isLast: false };
    if (bytes[at] === LF) throw lineEnds();
    // A longer boundary that starts with this one is content.
  }
  return { start: bytes.length };
}

/** Checks the next bytes itself before the native search, whose call costs more where carriage returns are frequent. */
function nextCr(bytes: Uint8Array, from: number): number {
  const near = Math.min(from + 32, bytes.length);
  for (let at = from; at < near; at++) if (bytes[at] === CR) return at;
  return bytes.indexOf(CR, near);
}

/** Concatenates two byte arrays. */
export function joined(first: Uint8Array, then: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(first.length + then.length);
  bytes.set(first);
  bytes.set(then, first.length);
  return bytes;
}

/** The content of a part as one array. */
export function bytesOf({ pieces, size }: Part): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

const UTF_8 = ["utf-8", "utf8", "us-ascii", "ascii"];
/** Charsets in which ASCII text has the same bytes as in UTF-8. Some clients declare one of them for every text. */
const ASCII_SUPERSET = /^(?:iso-8859-\d{1,2}|latin-?1|windows-125\d|cp125\d)$/;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/** Whether the content was sent unencoded, without a transfer encoding for mail (RFC 7578 section 4.7). */
export const isPlain = ({ transferEncoding }: Part): boolean => ["7bit", "8bit", "binary"].includes(transferEncoding);

/** The content of a part as text; a `Misfit` if it is a file, has a transfer encoding, or is not UTF-8. */
export function textOf(part: Part): string | Misfit {
  if (part.fileName !== "absent") return part.size === 0 && part.fileName === "empty" ? "" : new Misfit("not_text");
  if (!isPlain(part)) return new Misfit("transfer_encoding");
  const bytes = bytesOf(part);
  const isAscii = () => ASCII_SUPERSET.test(part.charset) && bytes.every((byte) => byte < 0x80);
  if (!UTF_8.includes(part.charset) && !isAscii()) return new Misfit("not_utf8");
  try {
    return decoder.decode(bytes);
  } catch {
    return new Misfit("not_utf8");
  }
}
