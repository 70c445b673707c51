import {
  broken,
  type Cleaning,
  findSizeProblem,
  findTrailerProblem,
  join,
  latin1,
  type Refusal,
  viewOf,
} from "./cleaning.ts";

const SIGNATURE = "\x89PNG\r\n\x1a\n";
/** Chunks that decide how the pixels look (W3C PNG, section 11); texts, Exif, times and all others are dropped. */
const NEEDED = new Set([
  "IHDR",
  "PLTE",
  "IDAT",
  "IEND",
  "tRNS",
  "gAMA",
  "cHRM",
  "sRGB",
  "iCCP",
  "sBIT",
  "cICP",
  "pHYs",
]);
/** Bits a sample for each colour type. */
const BIT_DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

export const isPng = (bytes: Uint8Array) => latin1(bytes, 0, SIGNATURE.length) === SIGNATURE;

/** Walks a PNG from its header to its end chunk and keeps the picture alone. */
export function cleanPng(bytes: Uint8Array): Cleaning {
  const pieces: Uint8Array[] = [bytes.subarray(0, SIGNATURE.length)];
  const view = viewOf(bytes);
  const seen = new Set<string>();
  for (let at = SIGNATURE.length; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const end = at + 12 + length;
    const type = latin1(bytes, at + 4, 4);
    if (end > bytes.length || !/^[A-Za-z]{4}$/.test(type)) return broken;
    if (seen.size === 0) {
      const problem = findHeaderProblem(type, bytes.subarray(at + 8, end - 4));
      if (problem) return problem;
    } else if (type === "IHDR") return broken;
    seen.add(type);
    // A chunk that must be understood, and that nobody does.
    if (!NEEDED.has(type) && type.charAt(0) < "a") return broken;
    if (NEEDED.has(type)) pieces.push(bytes.subarray(at, end));
    if (type === "IEND") {
      const problem =
        findTrailerProblem(bytes.subarray(end)) ?? (seen.has("IDAT") && length === 0 ? undefined : broken);
      return problem ?? { ok: true, bytes: join(pieces) };
    }
    at = end;
  }
  return broken;
}

function findHeaderProblem(type: string, header: Uint8Array): Refusal | undefined {
  if (type !== "IHDR" || header.length !== 13) return broken;
  const [bitDepth = 0, colourType = 0, compression, filter, interlace = 0] = header.subarray(8);
  const isKnown = BIT_DEPTHS[colourType]?.includes(bitDepth) && compression === 0 && filter === 0 && interlace <= 1;
  if (!isKnown) return broken;
  const view = viewOf(header);
  return findSizeProblem(view.getUint32(0), view.getUint32(4));
}
