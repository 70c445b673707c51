import { broken, type Cleaning, latin1, refused } from "./cleaning.ts";
import { findEncryption } from "./pdf-encryption.ts";

/**
 * The header must start within this many bytes of the beginning, and the end marker within this many of the end (ISO
 * 32000-1, annex H).
 */
const MARGIN_BYTES = 1024;
const END = "%%EOF";
/** Bytes other than padding that may follow the end marker. */
const MAX_TRAILER_BYTES = 16;
/** Line ends, tabs, form feeds, spaces and zeros. */
const PADDING = new Set([0x00, 0x09, 0x0a, 0x0c, 0x0d, 0x20]);
/** Control characters that plain text may contain: line ends, tabs, form feeds, and escapes of printer languages. */
const TEXT_CONTROLS = new Set([0x09, 0x0a, 0x0c, 0x0d, 0x1b]);
const LESS_THAN = 0x3c;
const DELETE = 0x7f;

/** Offset of the header; -1 if there is none. */
function findHeader(bytes: Uint8Array): number {
  const start = latin1(bytes, 0, Math.min(bytes.length, MARGIN_BYTES + "%PDF-1.0".length));
  return start.search(/%PDF-[12]\.\d/);
}

export function isPdf(bytes: Uint8Array): boolean {
  const header = findHeader(bytes);
  return header !== -1 && isPlainText(bytes.subarray(0, header));
}

/** Plain text, neither markup nor a script: the bytes before the header must not make the file one of another type. */
function isPlainText(bytes: Uint8Array): boolean {
  const isText = (byte: number) => (byte < 0x20 ? TEXT_CONTROLS.has(byte) : byte !== LESS_THAN && byte !== DELETE);
  return bytes.every(isText) && latin1(bytes, 0, 2) !== "#!";
}

/**
 * Checks that a PDF is complete. The bytes stay unchanged, because signatures and the tables of linearized files depend
 * on each of them. Padding of any length may follow the end marker.
 */
export function cleanPdf(bytes: Uint8Array<ArrayBuffer>): Cleaning {
  let end = bytes.length;
  while (end > 0 && PADDING.has(bytes[end - 1] ?? -1)) end--;
  const tailStart = Math.max(0, end - MARGIN_BYTES);
  const tail = latin1(bytes, tailStart, end - tailStart);
  const marker = tail.lastIndexOf(END);
  if (marker === -1) return broken;
  if (tail.length - marker - END.length > MAX_TRAILER_BYTES) {
    return refused("file_trailer");
  }
  const keyword = tail.lastIndexOf("startxref", marker);
  const [, digits] = /^startxref[\s\0]*(\d{1,10})(?!\d)/.exec(tail.slice(Math.max(0, keyword), marker)) ?? [];
  const table = Number(digits);
  if (keyword === -1 || digits === undefined || table >= tailStart + keyword) return broken;
  const header = findHeader(bytes);
  // The table at the start of a linearized file gives no offset; if it is the last table, the rest of the file was cut
  // off.
  if (table === 0 && latin1(bytes, header, Math.min(MARGIN_BYTES, bytes.length - header)).includes("/Linearized")) {
    return broken;
  }
  if (findEncryption(bytes, [table, header + table])) {
    return refused("pdf_password");
  }
  return { ok: true, bytes };
}
