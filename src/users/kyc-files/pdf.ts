import { broken, type Cleaning, findTrailerProblem, latin1 } from "./cleaning.ts";

/** How far from the end of the file its own end marker may stand (ISO 32000-1, implementation note 18). */
const TAIL_BYTES = 1024;
const END = "%%EOF";

export const isPdf = (bytes: Uint8Array) => /^%PDF-[12]\.\d/.test(latin1(bytes, 0, 8));

/** A PDF that ends with its own end marker. What stands in it is not changed. */
export function cleanPdf(bytes: Uint8Array<ArrayBuffer>): Cleaning {
  const tailStart = Math.max(0, bytes.length - TAIL_BYTES);
  const tail = latin1(bytes, tailStart, bytes.length - tailStart);
  const end = tail.lastIndexOf(END);
  if (end === -1 || !tail.slice(0, end).includes("startxref")) return broken;
  const trailer = bytes.subarray(tailStart + end + END.length);
  const isBlank = trailer.every((byte) => byte === 0x0a || byte === 0x0d || byte === 0x20 || byte === 0);
  const problem = isBlank ? undefined : findTrailerProblem(trailer);
  return problem ?? { ok: true, bytes: bytes.subarray(0, tailStart + end + END.length) };
}
