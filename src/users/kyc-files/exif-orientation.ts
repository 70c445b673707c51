import { latin1, viewOf } from "./cleaning.ts";

const HEADER = "Exif\0\0";
/** TIFF 6.0; Exif 2.3 section 4.6.4. */
const ORIENTATION_TAG = 0x0112;
const SHORT = 3;
const ENTRY_BYTES = 12;

/** How a camera was held, 2 to 8, by an APP1 segment's content; undefined when it says nothing, or upright. */
export function readOrientation(content: Uint8Array): number | undefined {
  const start = HEADER.length;
  if (latin1(content, 0, start) !== HEADER || content.length < start + 8) return undefined;
  const tiff = viewOf(content.subarray(start));
  const isLittleEndian = latin1(content, start, 2) === "II";
  if (!isLittleEndian && latin1(content, start, 2) !== "MM") return undefined;
  const directory = tiff.getUint32(4, isLittleEndian);
  if (directory + 2 > tiff.byteLength) return undefined;
  const entries = tiff.getUint16(directory, isLittleEndian);
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + i * ENTRY_BYTES;
    if (entry + ENTRY_BYTES > tiff.byteLength) return undefined;
    if (tiff.getUint16(entry, isLittleEndian) !== ORIENTATION_TAG) continue;
    const orientation = tiff.getUint16(entry + 8, isLittleEndian);
    const isOne = tiff.getUint16(entry + 2, isLittleEndian) === SHORT && orientation >= 2 && orientation <= 8;
    return isOne ? orientation : undefined;
  }
  return undefined;
}

/** A whole APP1 segment that holds nothing but the orientation. */
export function writeOrientation(orientation: number): Uint8Array {
  const tiff = new Uint8Array(26);
  const view = viewOf(tiff);
  tiff.set([0x4d, 0x4d, 0x00, 0x2a]);
  view.setUint32(4, 8);
  view.setUint16(8, 1);
  view.setUint16(10, ORIENTATION_TAG);
  view.setUint16(12, SHORT);
  view.setUint32(14, 1);
  view.setUint16(18, orientation);
  const header = new TextEncoder().encode(HEADER);
  const segment = new Uint8Array(4 + header.length + tiff.length);
  segment.set([0xff, 0xe1]);
  viewOf(segment).setUint16(2, segment.length - 2);
  segment.set(header, 4);
  segment.set(tiff, 4 + header.length);
  return segment;
}
