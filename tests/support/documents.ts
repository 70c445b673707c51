/** Tiny but valid pictures and PDFs, and ways to alter them. */

export type Bytes = Uint8Array<ArrayBuffer>;

export const ascii = (text: string): Bytes => Uint8Array.from(text, (character) => character.charCodeAt(0));

export function concat(...parts: (Uint8Array | number[] | string)[]): Bytes {
  return Uint8Array.from(parts.flatMap((part) => [...(typeof part === "string" ? ascii(part) : part)]));
}

const fromBase64 = (text: string): Bytes => ascii(atob(text));

export const asText = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

/** A file part of a form; its name has no meaning. */
export const file = (bytes: Uint8Array, name = "id.jpg", type = "image/jpeg") =>
  new File([Uint8Array.from(bytes)], name, { type });

/** Big-endian numbers. */
export const uint16 = (value: number) => [value >> 8, value & 255];
export const uint32 = (value: number) => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];

/** A segment of a JPEG. */
export const segment = (marker: number, content: Uint8Array | number[] | string) => {
  const bytes = concat(content);
  return concat([0xff, marker], uint16(bytes.length + 2), bytes);
};

export const JFIF = segment(0xe0, concat("JFIF\0", [1, 1, 0, 0, 1, 0, 1, 0, 0]));

/** A grey JPEG of one block, with these segments after its first and these bytes after its end. */
export function jpeg({ width = 8, height = 8, segments = [] as Uint8Array[], trailer = new Uint8Array() } = {}): Bytes {
  const counts = [1, ...new Array<number>(15).fill(0)];
  return concat(
    [0xff, 0xd8],
    JFIF,
    ...segments,
    segment(0xdb, [0, ...new Array<number>(64).fill(1)]),
    segment(0xc0, [8, ...uint16(height), ...uint16(width), 1, 1, 0x11, 0]),
    segment(0xc4, [0x00, ...counts, 0]),
    segment(0xc4, [0x10, ...counts, 0]),
    segment(0xda, [1, 1, 0x00, 0, 63, 0]),
    [0x3f, 0xff, 0x00, 0x3f],
    [0xff, 0xd9],
    trailer,
  );
}

/** Exif data as written by a camera: orientation and location. */
export function exif(orientation: number, place: string): Bytes {
  const entry = (tag: number, type: number, count: number, value: number[]) => [
    ...uint16(tag),
    ...uint16(type),
    ...uint32(count),
    ...value,
  ];
  const tiff = concat(
    "MM\0*",
    uint32(8),
    uint16(2),
    entry(0x0112, 3, 1, [...uint16(orientation), 0, 0]),
    entry(0x8825, 4, 1, uint32(38)),
    uint32(0),
    // The GPS directory; a place name stands for the coordinates.
    uint16(1),
    entry(0x001b, 7, place.length, uint32(56)),
    uint32(0),
    place,
  );
  return segment(0xe1, concat("Exif\0\0", tiff));
}

function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** A chunk of a PNG. */
export const chunk = (type: string, content: Uint8Array | number[] | string = []) => {
  const named = concat(type, content);
  return concat(uint32(named.length - 4), named, uint32(crc32(named)));
};

/** A grey PNG of one pixel and any size in its header, with these chunks before its pixels. */
export function png({ width = 1, height = 1, chunks = [] as Uint8Array[], trailer = new Uint8Array() } = {}): Bytes {
  return concat(
    "\x89PNG\r\n\x1a\n",
    chunk("IHDR", [...uint32(width), ...uint32(height), 8, 0, 0, 0, 0]),
    ...chunks,
    chunk("IDAT", fromBase64("eJxjYAAAAAIAAQ==")),
    chunk("IEND"),
    trailer,
  );
}

const LOSSY = fromBase64("UklGRiQAAABXRUJQVlA4IBgAAAAwAQCdASoBAAEAAwA0JaQAA3AA/vuUAAA=").slice(12);

/** A little-endian number of `bytes` bytes. */
export const little = (value: number, bytes: number) =>
  Array.from({ length: bytes }, (_, i) => (value >>> (8 * i)) & 255);

/** A chunk of a WebP; `isPadded` is false for the error of programs that omit the padding of odd lengths. */
export const riffChunk = (type: string, content: Uint8Array | number[] | string, isPadded = true) => {
  const bytes = concat(content);
  return concat(type, little(bytes.length, 4), bytes, bytes.length % 2 && isPadded ? [0] : []);
};

/** A WebP of these chunks. */
export const riff = (...chunks: Uint8Array[]) => {
  const content = concat("WEBP", ...chunks);
  return concat("RIFF", little(content.length, 4), content);
};

/** A WebP of one pixel. */
export const webp = () => riff(LOSSY);

/** A WebP in the extended format, with Exif and XMP that contain `place`. */
export const extendedWebp = (place: string, { width = 1, height = 1, flags = 0x0c } = {}) =>
  riff(
    riffChunk("VP8X", [flags, 0, 0, 0, ...little(width - 1, 3), ...little(height - 1, 3)]),
    LOSSY,
    riffChunk("EXIF", place),
    riffChunk("XMP ", place),
  );

/** A PDF without a page. */
export const pdf = (trailer = "\n") =>
  concat(`%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\nstartxref\n9\n%%EOF${trailer}`);
