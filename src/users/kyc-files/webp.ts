import {
  broken,
  type Cleaning,
  findSizeProblem,
  findTrailerProblem,
  join,
  latin1,
  type Refusal,
  refused,
  viewOf,
} from "./cleaning.ts";

// RFC 9649.
const RIFF_HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;
const NEEDED = new Set(["VP8X", "ICCP", "ALPH", "VP8 ", "VP8L"]);
const ANIMATION_FLAG = 0x02;
const METADATA_FLAGS = 0x0c;

export const isWebp = (bytes: Uint8Array) => latin1(bytes, 0, 4) === "RIFF" && latin1(bytes, 8, 4) === "WEBP";

/** Walks the chunks of a WebP picture and keeps those that show it; its flags and its size are set to what is left. */
export function cleanWebp(bytes: Uint8Array): Cleaning {
  const riffEnd = 8 + viewOf(bytes).getUint32(4, true);
  if (riffEnd > bytes.length || riffEnd < RIFF_HEADER_BYTES + CHUNK_HEADER_BYTES) return broken;
  const trailerProblem = findTrailerProblem(bytes.subarray(riffEnd));
  if (trailerProblem) return trailerProblem;
  const pieces: Uint8Array[] = [];
  let pictures = 0;
  for (let at = RIFF_HEADER_BYTES; at < riffEnd; ) {
    if (at + CHUNK_HEADER_BYTES > riffEnd) return broken;
    const type = latin1(bytes, at, 4);
    const length = viewOf(bytes).getUint32(at + 4, true);
    const end = at + CHUNK_HEADER_BYTES + length;
    if (end > riffEnd) return broken;
    const content = bytes.subarray(at + CHUNK_HEADER_BYTES, end);
    const isPicture = type === "VP8 " || type === "VP8L";
    const isInPlace = at === RIFF_HEADER_BYTES ? isPicture || type === "VP8X" : type !== "VP8X";
    if (!isInPlace) return broken;
    if (isPicture) pictures++;
    const problem = findChunkProblem(type, content);
    if (problem) return problem;
    // Chunks of odd length are followed by a byte of padding.
    const next = Math.min(end + (length % 2), riffEnd);
    if (NEEDED.has(type))
      pieces.push(type === "VP8X" ? withoutMetadata(bytes.slice(at, next)) : bytes.subarray(at, next));
    at = next;
  }
  return pictures === 1 ? { ok: true, bytes: wrap(pieces) } : broken;
}

function findChunkProblem(type: string, content: Uint8Array): Refusal | undefined {
  const view = viewOf(content);
  if (type === "VP8X") {
    if (content.length < 10) return broken;
    if (((content[0] ?? 0) & ANIMATION_FLAG) !== 0)
      return refused("A moving picture is no document. Send a still one.");
    return findSizeProblem(1 + readUint24(view, 4), 1 + readUint24(view, 7));
  }
  if (type === "VP8 ") {
    // RFC 6386 section 9.1: a key frame, its first partition, its start code, its size.
    if (content.length < 10 || latin1(content, 3, 3) !== "\x9d\x01\x2a") return broken;
    const tag = readUint24(view, 0);
    if ((tag & 1) !== 0 || tag >> 5 > content.length - 10) return broken;
    return findSizeProblem(view.getUint16(6, true) & 0x3fff, view.getUint16(8, true) & 0x3fff);
  }
  if (type === "VP8L") {
    if (content.length < 5 || content[0] !== 0x2f) return broken;
    const bits = view.getUint32(1, true);
    return findSizeProblem(1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff));
  }
  return undefined;
}

function readUint24(view: DataView, at: number): number {
  return view.getUint16(at, true) + view.getUint8(at + 2) * 0x10000;
}

function withoutMetadata(chunk: Uint8Array): Uint8Array {
  chunk[CHUNK_HEADER_BYTES] = (chunk[CHUNK_HEADER_BYTES] ?? 0) & ~METADATA_FLAGS;
  return chunk;
}

function wrap(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const header = new TextEncoder().encode("RIFF0000WEBP");
  const whole = join([header, ...pieces]);
  viewOf(whole).setUint32(4, whole.length - 8, true);
  return whole;
}
