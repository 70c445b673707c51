// Lists the metadata of images. Independent of the service's code, so that the two can be compared.

/** The metadata of a file by name, with the number of occurrences. */
export interface Findings {
  metadata: Map<string, number>;
  /** The Exif orientation, 1 to 8. */
  orientation: number;
}

type Format = "image/jpeg" | "image/png" | "image/webp";

const text = (bytes: Buffer, from: number, to: number) => bytes.toString("latin1", from, to);

/** The metadata of a complete image, except what affects how it looks and an Exif block with only an orientation. */
export function findMetadata(bytes: Buffer, format: Format): Findings {
  const found: Findings = { metadata: new Map(), orientation: 1 };
  const count = (name: string) => found.metadata.set(name, (found.metadata.get(name) ?? 0) + 1);
  const readExif = (tiff: Buffer) => {
    const { orientation, isAlone, hasPlace } = readTiff(tiff);
    found.orientation = orientation;
    if (!isAlone) count(hasPlace ? "Exif with GPS" : "Exif");
  };
  if (format === "image/jpeg") walkJpeg(bytes, count, readExif);
  else if (format === "image/png") walkPng(bytes, count, readExif);
  else walkWebp(bytes, count, readExif);
  return found;
}

function readTiff(tiff: Buffer) {
  const isLittle = text(tiff, 0, 2) === "II";
  const two = (at: number) => (at + 2 > tiff.length ? 0 : isLittle ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
  const four = (at: number) => (at + 4 > tiff.length ? 0 : isLittle ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at));
  const directory = four(4);
  let orientation = 1;
  let hasPlace = false;
  for (let at = directory + 2, left = two(directory); left > 0 && at + 12 <= tiff.length; at += 12, left--) {
    const tag = two(at);
    if (tag === 0x0112 && orientation === 1 && two(at + 2) === 3) orientation = two(at + 8);
    if (tag === 0x8825) hasPlace = true;
  }
  if (orientation < 1 || orientation > 8) orientation = 1;
  const isAlone = tiff.length === 26 && directory === 8 && two(8) === 1 && two(10) === 0x0112 && four(22) === 0;
  return { orientation, hasPlace, isAlone };
}

type Count = (name: string) => void;
type ReadExif = (tiff: Buffer) => void;

function walkJpeg(bytes: Buffer, count: Count, readExif: ReadExif): void {
  let hasExif = false;
  for (let at = 2; at + 4 <= bytes.length; ) {
    const marker = bytes[at + 1] ?? 0;
    if (bytes[at] !== 0xff || marker === 0 || (marker >= 0xd0 && marker <= 0xd7)) {
      count("stray bytes");
      at = bytes.indexOf(0xff, at + 1);
      if (at === -1) return;
      continue;
    }
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === 0xd9) break;
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    const content = text(bytes, at + 4, Math.min(end, at + 44));
    if (marker === 0xe1 && content.startsWith("Exif\0\0") && !hasExif) {
      hasExif = true;
      readExif(bytes.subarray(at + 10, end));
    } else if (marker === 0xfe) count("comment");
    else if (marker >= 0xe0 && marker <= 0xef) {
      const name = isThumbnail(marker, content, end - at) ? "thumbnail" : nameOfSegment(marker, content);
      if (name) count(name);
    }
    at = end;
    if (marker !== 0xda) continue;
    for (; at + 1 < bytes.length; at++) {
      const next = bytes[at + 1] ?? 0;
      if (bytes[at] === 0xff && next !== 0 && next !== 0xff && (next < 0xd0 || next > 0xd7)) break;
    }
  }
  const end = bytes.lastIndexOf(Buffer.from([0xff, 0xd9]));
  if (end !== -1 && end + 2 < bytes.length) count("trailer");
}

/** A JFIF segment has 18 bytes, its marker included; a thumbnail follows them. */
const isThumbnail = (marker: number, content: string, length: number) =>
  marker === 0xe0 && content.startsWith("JFIF\0") && length > 18;

function nameOfSegment(marker: number, content: string): string | undefined {
  if (marker === 0xe0 && content.startsWith("JFIF\0")) return undefined;
  if (marker === 0xe2 && content.startsWith("ICC_PROFILE\0")) return undefined;
  if (marker === 0xee && content.startsWith("Adobe")) return undefined;
  if (content.startsWith("http://ns.adobe.com/x")) return "XMP";
  if (content.startsWith("Photoshop 3.0")) return "IPTC";
  if (content.startsWith("MPF\0")) return "several pictures";
  return `APP${marker - 0xe0}`;
}

const PIXEL_CHUNKS = ["IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "sBIT", "cICP", "pHYs"];

function walkPng(bytes: Buffer, count: Count, readExif: ReadExif): void {
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const type = text(bytes, at + 4, at + 8);
    if (type === "eXIf") readExif(bytes.subarray(at + 8, at + 8 + length));
    else if (!PIXEL_CHUNKS.includes(type)) count(type);
    at += 12 + length;
    if (type === "IEND" && at < bytes.length) count("trailer");
    if (type === "IEND") return;
  }
}

function walkWebp(bytes: Buffer, count: Count, readExif: ReadExif): void {
  const end = 8 + bytes.readUInt32LE(4);
  if (end < bytes.length) count("trailer");
  for (let at = 12; at + 8 <= end; ) {
    const length = bytes.readUInt32LE(at + 4);
    const type = text(bytes, at, at + 4);
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (type === "EXIF") readExif(text(content, 0, 6) === "Exif\0\0" ? content.subarray(6) : content);
    else if (!["VP8X", "ICCP", "ALPH", "VP8 ", "VP8L"].includes(type)) count(type.trim());
    at += 8 + length + (length % 2);
  }
}
