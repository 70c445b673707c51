import { broken, type Cleaning, findSizeProblem, fourCharacters, keeperOf, type Refusal, viewOf } from "./cleaning.ts";
import { crc32 } from "./crc32.ts";
import { orientationTiff, readOrientation } from "./exif-orientation.ts";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Size of a chunk's length, type and checksum, in bytes. */
const CHUNK_OVERHEAD_BYTES = 12;
const IHDR = fourCharacters("IHDR");
const PLTE = fourCharacters("PLTE");
const IDAT = fourCharacters("IDAT");
const IEND = fourCharacters("IEND");
const EXIF = fourCharacters("eXIf");
/**
 * Chunks that decide how the pixels look (W3C PNG, section 11). All others are dropped, such as texts, times and the
 * frames of an animation; its still image stays.
 */
const NEEDED = new Set(
  ["IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "sBIT", "cICP", "pHYs"].map(fourCharacters),
);
/** Allowed bits per sample for each color type. */
const BIT_DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};
const ZLIB_HEADER_BYTES = 2;
const INDEXED_COLOR = 3;
/** Where the file has the color type: after signature, length, type, size and bit depth. */
const COLOR_TYPE_AT = SIGNATURE.length + 17;

export const isPng = (bytes: Uint8Array) => SIGNATURE.every((byte, i) => bytes[i] === byte);

/**
 * Validates a PNG from its header to its end chunk, the checksum of each chunk included, but does not decompress the
 * pixels. Keeps only the image and drops what follows. Keeps the Exif orientation in its place, because browsers rotate
 * the image by it.
 */
export function cleanPng(bytes: Uint8Array<ArrayBuffer>): Cleaning {
  const kept = keeperOf(bytes);
  kept.keep(0, SIGNATURE.length);
  const view = viewOf(bytes);
  let hasPalette = false;
  let hasExif = false;
  let previous = 0;
  let dataChunks = 0;
  let dataBytes = 0;
  let dataHeader = 0;
  for (let at = SIGNATURE.length; at + CHUNK_OVERHEAD_BYTES <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = view.getUint32(at + 4);
    const end = at + CHUNK_OVERHEAD_BYTES + length;
    if (end > bytes.length || !isChunkType(type)) return broken;
    const isFirst = at === SIGNATURE.length;
    if (isFirst !== (type === IHDR)) return broken;
    if (crc32(bytes, at + 4, end - 4) !== view.getUint32(end - 4)) return broken;
    if (isFirst) {
      const problem = findHeaderProblem(bytes.subarray(at + 8, end - 4));
      if (problem) return problem;
    } else if (type === PLTE) {
      if (hasPalette || dataChunks > 0 || !isPaletteLength(length)) return broken;
      hasPalette = true;
    } else if (type === IDAT) {
      // Viewers stop at the first chunk of another type, so later pixels would be missing.
      if (++dataChunks > 1 && previous !== IDAT) return broken;
      // The header of the compressed pixels may be split between chunks.
      const missing = Math.min(length, Math.max(0, ZLIB_HEADER_BYTES - dataBytes));
      for (let i = 0; i < missing; i++) dataHeader = (dataHeader << 8) | (bytes[at + 8 + i] ?? 0);
      dataBytes += length;
    }
    if (NEEDED.has(type)) kept.keep(at, end);
    else if (isCritical(type)) return broken;
    else if (type === EXIF && !hasExif) {
      hasExif = true;
      const orientation = readOrientation(bytes.subarray(at + 8, end - 4));
      if (orientation !== undefined) kept.add(chunkOf(EXIF, orientationTiff(orientation)));
    }
    if (type === IEND) {
      const isComplete = length === 0 && dataBytes > ZLIB_HEADER_BYTES && isZlibHeader(dataHeader);
      const needsPalette = bytes[COLOR_TYPE_AT] === INDEXED_COLOR;
      return isComplete && (hasPalette || !needsPalette) ? { ok: true, bytes: kept.finish() } : broken;
    }
    previous = type;
    at = end;
  }
  return broken;
}

/** One to 256 colors of three bytes. */
const isPaletteLength = (length: number) => length > 0 && length <= 256 * 3 && length % 3 === 0;

/** Deflate with a window of at most 32 KB and no preset dictionary, and valid check bits (RFC 1950 section 2.2). */
const isZlibHeader = (header: number) => (header & 0x8f20) === 0x0800 && header % 31 === 0;

/** Four ASCII letters. */
function isChunkType(type: number): boolean {
  for (let shift = 0; shift < 32; shift += 8) {
    const lower = ((type >>> shift) & 0xff) | 0x20;
    if (lower < 0x61 || lower > 0x7a) return false;
  }
  return true;
}

/** Critical chunks begin with a capital letter: a viewer that does not know one must not show the image. */
const isCritical = (type: number) => (type & 0x20000000) === 0;

function findHeaderProblem(header: Uint8Array): Refusal | undefined {
  if (header.length !== 13) return broken;
  const [bitDepth = 0, colourType = 0, compression, filter, interlace = 0] = header.subarray(8);
  const isKnown = BIT_DEPTHS[colourType]?.includes(bitDepth) && compression === 0 && filter === 0 && interlace <= 1;
  if (!isKnown) return broken;
  const view = viewOf(header);
  return findSizeProblem(view.getUint32(0), view.getUint32(4));
}

function chunkOf(type: number, content: Uint8Array): Uint8Array {
  const chunk = new Uint8Array(CHUNK_OVERHEAD_BYTES + content.length);
  const view = viewOf(chunk);
  view.setUint32(0, content.length);
  view.setUint32(4, type);
  chunk.set(content, 8);
  view.setUint32(8 + content.length, crc32(chunk, 4, 8 + content.length));
  return chunk;
}
