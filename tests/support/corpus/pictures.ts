// Pictures that decode to visible pixels, and the ways in which cameras and editors write them.

import { type Bytes, chunk, concat, JFIF, little, riffChunk, segment, uint16, uint32 } from "../documents.ts";

/** Packs bits, first bit first, into bytes; the last one is filled with `fill`. */
function pack(bits: string, fill: "0" | "1"): number[] {
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, fill);
  return (padded.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2));
}

const SIDE = 32;
const BLOCKS = (SIDE / 8) ** 2;

/** Brightness steps between blocks, seven bits each: the pattern changes with any decoding error. */
const steps = Array.from({ length: BLOCKS }, (_, i) => (i % 2 ? 64 + i : -(64 + i)));
const sevenBits = (step: number) => (step < 0 ? step + 127 : step).toString(2).padStart(7, "0");

/** Data bytes of a scan: 0xFF is followed by a stuffed zero. */
const stuffed = (bytes: number[]) => bytes.flatMap((byte) => (byte === 0xff ? [0xff, 0x00] : [byte]));

interface JpegParts {
  /** Between JFIF and the tables. */
  before?: Uint8Array[];
  /** In place of JFIF. */
  first?: Uint8Array[];
  /** Between the frame's header and its scan. */
  between?: Uint8Array[];
  /** After the end. */
  trailer?: Uint8Array;
  components?: 1 | 3 | 4;
  /** Number of blocks between restart markers. */
  restart?: number;
  isProgressive?: boolean;
  frame?: number;
  precision?: number;
  /** Fill bytes before each marker. */
  fill?: number;
  hasQuantization?: boolean;
  /** Whether its scans have compressed data. */
  hasData?: boolean;
}

/** A JPEG of 32 × 32 pixels. */
export function photo(parts: JpegParts = {}): Bytes {
  const { components = 1, isProgressive = false, restart = 0, precision = 8, fill = 0 } = parts;
  const { hasQuantization = true, hasData = true } = parts;
  const ids = Array.from({ length: components }, (_, i) => i + 1);
  const counts = [1, ...new Array<number>(15).fill(0)];
  const frame = segment(parts.frame ?? (isProgressive ? 0xc2 : 0xc0), [
    precision,
    ...uint16(SIDE),
    ...uint16(SIDE),
    components,
    ...ids.flatMap((id) => [id, 0x11, 0]),
  ]);
  const scanHeader = (only: number[], first: number, last: number) =>
    segment(0xda, [only.length, ...only.flatMap((id) => [id, 0]), first, last, 0]);
  const block = (step: number) => ids.map(() => `0${sevenBits(step)}${isProgressive ? "" : "0"}`).join("");
  const groups = restart ? Math.ceil(BLOCKS / restart) : 1;
  const size = restart || BLOCKS;
  const data = Array.from({ length: groups }, (_, i) => [
    ...stuffed(
      pack(
        steps
          .slice(i * size, (i + 1) * size)
          .map(block)
          .join(""),
        "1",
      ),
    ),
    ...(i < groups - 1 ? [0xff, 0xd0 + (i % 8)] : []),
  ]).flat();
  const noMore = stuffed(pack("0".repeat(BLOCKS), "1"));
  const filler = new Array<number>(fill).fill(0xff);
  const segments = [
    ...(parts.first ?? [JFIF]),
    ...(parts.before ?? []),
    ...(hasQuantization ? [segment(0xdb, [0, ...new Array<number>(64).fill(8)])] : []),
    frame,
    segment(0xc4, [0x00, ...counts, 7]),
    segment(0xc4, [0x10, ...counts, 0]),
    ...(restart ? [segment(0xdd, uint16(restart))] : []),
    ...(parts.between ?? []),
    concat(scanHeader(ids, 0, isProgressive ? 0 : 63), hasData ? data : []),
    ...(isProgressive ? ids.map((id) => concat(scanHeader([id], 1, 63), noMore)) : []),
    new Uint8Array([0xff, 0xd9]),
  ];
  return concat([0xff, 0xd8], ...segments.flatMap((each) => [filler, each]), parts.trailer ?? []);
}

function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return b * 65_536 + a;
}

/** Bytes in a zlib stream of one stored block (RFC 1950, 1951). */
function stored(bytes: Uint8Array): Bytes {
  const length = little(bytes.length, 2);
  return concat(
    [0x78, 0x01, 0x01],
    length,
    length.map((byte) => byte ^ 255),
    bytes,
    uint32(adler32(bytes)),
  );
}

interface PngParts {
  before?: Uint8Array[];
  /** Between the pixels and the end. */
  after?: Uint8Array[];
  trailer?: Uint8Array;
  depth?: number;
  colour?: number;
  /** Number of bytes per line without its filter byte. */
  line?: number;
  /** Number of chunks for the pixels. */
  split?: number;
}

/** A PNG of 8 × 8 pixels, by default grey with 8 bits. */
export function drawing({ depth = 8, colour = 0, line = 8, split = 1, ...parts }: PngParts = {}): Bytes {
  const lines = Array.from({ length: 8 }, (_, y) => [
    0,
    ...Array.from({ length: line }, (_, x) => (x * 37 + y * 11) & 255),
  ]);
  const data = stored(Uint8Array.from(lines.flat()));
  const size = Math.ceil(data.length / split);
  const chunks = Array.from({ length: split }, (_, i) => chunk("IDAT", data.slice(i * size, (i + 1) * size)));
  return concat(
    "\x89PNG\r\n\x1a\n",
    chunk("IHDR", [...uint32(8), ...uint32(8), depth, colour, 0, 0, 0]),
    ...(parts.before ?? []),
    ...chunks,
    ...(parts.after ?? []),
    chunk("IEND"),
    parts.trailer ?? [],
  );
}

/** TIFF data with the orientation, in either byte order, and a place in another entry. */
export function tiff(orientation: number, place: string, isLittle = false): Bytes {
  const two = (value: number) => (isLittle ? little(value, 2) : uint16(value));
  const four = (value: number) => (isLittle ? little(value, 4) : uint32(value));
  const entry = (tag: number, type: number, count: number, value: number[]) => [
    ...two(tag),
    ...two(type),
    ...four(count),
    ...value,
  ];
  return concat(
    isLittle ? "II*\0" : "MM\0*",
    four(8),
    two(2),
    entry(0x010e, 2, place.length, four(38)),
    entry(0x0112, 3, 1, [...two(orientation), 0, 0]),
    four(0),
    place,
  );
}

export const exifSegment = (orientation: number, place: string, isLittle = false) =>
  segment(0xe1, concat("Exif\0\0", tiff(orientation, place, isLittle)));

/** A lossless picture of one colour: five prefix codes with one symbol each, so it needs no pixel data (RFC 9649). */
export function losslessChunk(side = 16): Bytes {
  let bits = "";
  const put = (value: number, count: number) => {
    for (let i = 0; i < count; i++) bits += (value >> i) & 1;
  };
  put(side - 1, 14);
  put(side - 1, 14);
  put(0, 4);
  put(0, 3);
  for (const symbol of [90, 160, 30, 255]) {
    put(0b101, 3);
    put(symbol, 8);
  }
  put(0b0001, 4);
  const bytes = (bits.padEnd(Math.ceil(bits.length / 8) * 8, "0").match(/.{8}/g) ?? []).map((byte) =>
    Number.parseInt([...byte].reverse().join(""), 2),
  );
  return riffChunk("VP8L", [0x2f, ...bytes]);
}

export const extended = (flags: number, side = 16) =>
  riffChunk("VP8X", [flags, 0, 0, 0, ...little(side - 1, 3), ...little(side - 1, 3)]);

/** The first box of an ISO media file. */
export const fileType = (major: string, ...compatible: string[]) =>
  concat(uint32(16 + 4 * compatible.length), "ftyp", major, uint32(0), compatible.join(""), "\0\0\0\x08mdat");
