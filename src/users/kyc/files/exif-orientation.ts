import { startsWith, viewOf } from "./cleaning.ts";

const HEADER = "Exif\0\0";
/** TIFF 6.0; Exif 2.3 section 4.6.4. */
const ORIENTATION_TAG = 0x0112;
const SHORT = 3;
const ENTRY_BYTES = 12;

/** Whether a JPEG's APP1 segment, whose content is from `at` up to `end`, is Exif. */
export const isExif = (bytes: Uint8Array, at: number, end: number) => startsWith(bytes, at, end, HEADER);

/**
 * The Exif orientation, 2 to 8; undefined if it is absent or upright. JPEG puts a header before the TIFF data of Exif,
 * PNG does not, and WebP files exist with and without it.
 */
export function readOrientation(exif: Uint8Array): number | undefined {
  const tiff = isExif(exif, 0, exif.length) ? exif.subarray(HEADER.length) : exif;
  if (tiff.length < 8) return undefined;
  const view = viewOf(tiff);
  const isLittleEndian = startsWith(tiff, 0, 2, "II");
  if (!isLittleEndian && !startsWith(tiff, 0, 2, "MM")) return undefined;
  const directory = view.getUint32(4, isLittleEndian);
  if (directory + 2 > tiff.length) return undefined;
  const entries = view.getUint16(directory, isLittleEndian);
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + i * ENTRY_BYTES;
    if (entry + ENTRY_BYTES > tiff.length) return undefined;
    if (view.getUint16(entry, isLittleEndian) !== ORIENTATION_TAG) continue;
    const orientation = view.getUint16(entry + 8, isLittleEndian);
    const isOne = view.getUint16(entry + 2, isLittleEndian) === SHORT && orientation >= 2 && orientation <= 8;
    return isOne ? orientation : undefined;
  }
  return undefined;
}

/** TIFF data with the orientation only, as PNG and WebP store Exif. */
export function orientationTiff(orientation: number): Uint8Array<ArrayBuffer> {
  const tiff = new Uint8Array(26);
  const view = viewOf(tiff);
  tiff.set([0x4d, 0x4d, 0x00, 0x2a]);
  view.setUint32(4, 8);
  view.setUint16(8, 1);
  view.setUint16(10, ORIENTATION_TAG);
  view.setUint16(12, SHORT);
  view.setUint32(14, 1);
  view.setUint16(18, orientation);
  return tiff;
}

/** Exif data with the orientation only, as JPEG stores it: a header and the TIFF data. */
export function orientationExif(orientation: number): Uint8Array<ArrayBuffer> {
  const tiff = orientationTiff(orientation);
  const exif = new Uint8Array(HEADER.length + tiff.length);
  exif.set(new TextEncoder().encode(HEADER));
  exif.set(tiff, HEADER.length);
  return exif;
}
