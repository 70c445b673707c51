import {
  broken,
  type Cleaning,
  findSizeProblem,
  fourCharacters,
  keeperOf,
  latin1,
  type Refusal,
  refused,
  viewOf,
} from "./cleaning.ts";
import { orientationTiff, readOrientation } from "./exif-orientation.ts";

// RFC 9649.
const RIFF_HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;
const VP8X = fourCharacters("VP8X");
const VP8 = fourCharacters("VP8 ");
const VP8L = fourCharacters("VP8L");
const EXIF = fourCharacters("EXIF");
const NEEDED = new Set(["VP8X", "ICCP", "ALPH", "VP8 ", "VP8L"].map(fourCharacters));
const ANIMATION_FLAG = 0x02;
const EXIF_FLAG = 0x08;
const METADATA_FLAGS = 0x0c;

export const isWebp = (bytes: Uint8Array) => latin1(bytes, 0, 4) === "RIFF" && latin1(bytes, 8, 4) === "WEBP";

/**
 * Validates the chunks of a WebP image, keeps those that display it, and drops what follows its end. Flags and size are
 * updated to match. Keeps the Exif orientation.
 */
export function cleanWebp(bytes: Uint8Array<ArrayBuffer>): Cleaning {
  const view = viewOf(bytes);
  const riffEnd = 8 + view.getUint32(4, true);
  if (riffEnd > bytes.length || riffEnd < RIFF_HEADER_BYTES + CHUNK_HEADER_BYTES) return broken;
  const kept = keeperOf(bytes);
  kept.keep(0, RIFF_HEADER_BYTES);
  const isExtended = view.getUint32(RIFF_HEADER_BYTES) === VP8X;
  let pictures = 0;
  let hasExif = false;
  let orientation: number | undefined;
  for (let at = RIFF_HEADER_BYTES; at < riffEnd; ) {
    if (at + CHUNK_HEADER_BYTES > riffEnd) return broken;
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4, true);
    const end = at + CHUNK_HEADER_BYTES + length;
    if (end > riffEnd) return broken;
    const isPicture = type === VP8 || type === VP8L;
    const isInPlace = at === RIFF_HEADER_BYTES ? isPicture || type === VP8X : type !== VP8X;
    if (!isInPlace) return broken;
    if (isPicture && ++pictures > 1) return broken;
    if (isPicture || type === VP8X) {
      const problem = findChunkProblem(type, bytes.subarray(at + CHUNK_HEADER_BYTES, end));
      if (problem) return problem;
    }
    if (NEEDED.has(type)) {
      // A chunk of odd length is followed by a padding byte, which some encoders omit at the end.
      kept.keep(at, Math.min(end + (length % 2), riffEnd));
      if (end + (length % 2) > riffEnd) kept.add(Uint8Array.of(0));
    } else if (type === EXIF && isExtended && !hasExif) {
      hasExif = true;
      orientation = readOrientation(bytes.subarray(at + CHUNK_HEADER_BYTES, end));
      if (orientation !== undefined) kept.add(exifChunk(orientation));
    }
    at = end + (length % 2);
  }
  if (pictures !== 1) return broken;
  const flags = isExtended ? ((bytes[20] ?? 0) & ~METADATA_FLAGS) | (orientation === undefined ? 0 : EXIF_FLAG) : 0;
  const cleaned = kept.finish();
  if (cleaned.length - 8 === view.getUint32(4, true) && (!isExtended || bytes[20] === flags)) {
    return { ok: true, bytes: cleaned };
  }
  // The caller's bytes are not modified.
  const own = cleaned.buffer === bytes.buffer ? cleaned.slice() : cleaned;
  viewOf(own).setUint32(4, own.length - 8, true);
  if (isExtended) own[20] = flags;
  return { ok: true, bytes: own };
}

function findChunkProblem(type: number, content: Uint8Array): Refusal | undefined {
  const view = viewOf(content);
  if (type === VP8X) {
    if (content.length < 10) return broken;
    if (((content[0] ?? 0) & ANIMATION_FLAG) !== 0) return refused("animated_picture");
    return findSizeProblem(1 + readUint24(view, 4), 1 + readUint24(view, 7));
  }
  if (type === VP8) {
    // RFC 6386 section 9.1: a key frame, its first partition, start code and size. Another partition follows.
    if (content.length < 10 || latin1(content, 3, 3) !== "\x9d\x01\x2a") return broken;
    const tag = readUint24(view, 0);
    const firstPartition = tag >> 5;
    if ((tag & 1) !== 0 || firstPartition === 0 || firstPartition >= content.length - 10) return broken;
    return findSizeProblem(view.getUint16(6, true) & 0x3fff, view.getUint16(8, true) & 0x3fff);
  }
  // RFC 9649 section 3.4: a signature, the size and a version; the pixels follow.
  if (content.length <= 5 || content[0] !== 0x2f) return broken;
  const bits = view.getUint32(1, true);
  return findSizeProblem(1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff));
}

function readUint24(view: DataView, at: number): number {
  return view.getUint16(at, true) + view.getUint8(at + 2) * 0x10000;
}

function exifChunk(orientation: number): Uint8Array {
  const tiff = orientationTiff(orientation);
  const chunk = new Uint8Array(CHUNK_HEADER_BYTES + tiff.length);
  viewOf(chunk).setUint32(0, EXIF);
  viewOf(chunk).setUint32(4, tiff.length, true);
  chunk.set(tiff, CHUNK_HEADER_BYTES);
  return chunk;
}
