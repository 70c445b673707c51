import {
  broken,
  type Cleaning,
  findSizeProblem,
  keeperOf,
  type Refusal,
  refused,
  startsWith,
  viewOf,
} from "./cleaning.ts";
import { isExif, orientationExif, readOrientation } from "./exif-orientation.ts";

// ITU-T T.81, annex B.
const TEM = 0x01;
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const APP0 = 0xe0;
const APP1 = 0xe1;
const APP2 = 0xe2;
const APP14 = 0xee;
const APP15 = 0xef;
const COMMENT = 0xfe;
/** Frame types that browsers display: baseline, extended, progressive. */
const SHOWN_FRAMES = new Set([0xc0, 0xc1, 0xc2]);
const DQT = 0xdb;
/** Huffman tables, quantization tables, number of lines, restart interval. */
const TABLES = new Set([0xc4, DQT, 0xdc, 0xdd]);
/** Far more than any encoder writes; each scan costs the viewer a pass over the whole image. */
const MAX_SCANS = 100;

/** Length of a JFIF segment without a thumbnail, its marker included (ITU-T T.871 section 10.1). */
const JFIF_BYTES = 18;
/** Where the content of a JFIF segment has the width and height of its thumbnail. */
const JFIF_SIZE_AT = 12;

const notShown = refused("unsupported_jpeg");

export const isJpeg = (bytes: Uint8Array) => bytes[0] === 0xff && bytes[1] === SOI && bytes[2] === 0xff;

/**
 * Validates a JPEG from its first marker to its last and keeps what a viewer needs. Removes Exif, XMP, IPTC and
 * comments, where cameras store the place, the owner and a thumbnail; stray bytes between segments; and everything
 * after the end marker, where phones store videos and second images. Keeps the Exif orientation in its place, because
 * viewers rotate the image by it.
 */
export function cleanJpeg(bytes: Uint8Array<ArrayBuffer>): Cleaning {
  const kept = keeperOf(bytes);
  kept.keep(0, 2);
  const view = viewOf(bytes);
  let hasExif = false;
  let hasJfif = false;
  let hasQuantization = false;
  let frames = 0;
  let scans = 0;
  for (let at = findMarker(bytes, 2); at !== -1; ) {
    const marker = bytes[at + 1] ?? 0;
    if (marker === EOI) {
      if (scans === 0) return broken;
      kept.keep(at, at + 2);
      return { ok: true, bytes: kept.finish() };
    }
    if (isAlone(marker)) {
      at = findMarker(bytes, at + 2);
      continue;
    }
    if (at + 4 > bytes.length) return broken;
    const end = at + 2 + view.getUint16(at + 2);
    if (end < at + 4 || end > bytes.length) return broken;
    let next = end;
    if (SHOWN_FRAMES.has(marker)) {
      if (++frames > 1) return broken;
      const problem = findFrameProblem(bytes.subarray(at + 4, end));
      if (problem) return problem;
    } else if (marker === SOS) {
      if (frames === 0 || !hasQuantization) return broken;
      if (++scans > MAX_SCANS) return notShown;
      next = findScanEnd(bytes, end);
      if (next === end) return broken;
    } else if (!isApplication(marker) && !TABLES.has(marker)) {
      return notShown;
    }
    hasQuantization ||= marker === DQT;
    if (!isApplication(marker) || isNeeded(bytes, at, end)) kept.keep(at, next);
    else if (isJfif(bytes, at, end)) {
      if (!hasJfif) kept.add(withoutThumbnail(bytes, at));
      hasJfif = true;
    }
    // Viewers read only the first Exif segment before the first scan.
    else if (marker === APP1 && !hasExif && scans === 0 && isExif(bytes, at + 4, end)) {
      hasExif = true;
      const orientation = readOrientation(bytes.subarray(at + 4, end));
      if (orientation !== undefined) kept.add(segmentOf(APP1, orientationExif(orientation)));
    }
    at = findMarker(bytes, next);
  }
  return broken;
}

/**
 * Offset of the next marker; -1 if there is none. Bytes before it are skipped, as libjpeg and browsers do: fill bytes
 * are legal, and cameras and editors leave others behind.
 */
function findMarker(bytes: Uint8Array, from: number): number {
  for (let at = from; at + 1 < bytes.length; at++) {
    if (bytes[at] === 0xff && bytes[at + 1] !== 0xff && bytes[at + 1] !== 0x00) return at;
  }
  return -1;
}

const isRestart = (marker: number) => marker >= 0xd0 && marker <= 0xd7;

/** Markers without a length. They have no meaning outside a scan. */
const isAlone = (marker: number) => marker === TEM || isRestart(marker);

/** APP0 to APP15 and comments. */
const isApplication = (marker: number) => (marker >= APP0 && marker <= APP15) || marker === COMMENT;

/** Whether an application segment is kept as it is: it affects how the pixels look and has no thumbnail. */
function isNeeded(bytes: Uint8Array, at: number, end: number): boolean {
  const marker = bytes[at + 1];
  if (marker === APP0) return isJfif(bytes, at, end) && end - at <= JFIF_BYTES;
  if (marker === APP2) return startsWith(bytes, at + 4, end, "ICC_PROFILE\0");
  return marker === APP14 && startsWith(bytes, at + 4, end, "Adobe");
}

const isJfif = (bytes: Uint8Array, at: number, end: number) =>
  bytes[at + 1] === APP0 && startsWith(bytes, at + 4, end, "JFIF\0");

/** The JFIF segment without its thumbnail, which may show what was cut off the image. */
function withoutThumbnail(bytes: Uint8Array, at: number): Uint8Array {
  const content = bytes.slice(at + 4, at + JFIF_BYTES);
  content.fill(0, JFIF_SIZE_AT);
  return segmentOf(APP0, content);
}

function segmentOf(marker: number, content: Uint8Array): Uint8Array {
  const segment = new Uint8Array(4 + content.length);
  segment.set([0xff, marker]);
  viewOf(segment).setUint16(2, segment.length - 2);
  segment.set(content, 4);
  return segment;
}

function findFrameProblem(content: Uint8Array): Refusal | undefined {
  if (content.length < 6) return broken;
  // Browsers display 8-bit samples only.
  if (content[0] !== 8) return notShown;
  const components = content[5] ?? 0;
  if (![1, 3, 4].includes(components) || content.length !== 6 + 3 * components) return broken;
  const view = viewOf(content);
  return findSizeProblem(view.getUint16(3), view.getUint16(1));
}

/**
 * End of a scan's compressed data: the next marker other than a restart, or the fill bytes before it. FF 00 is data,
 * not a marker.
 */
function findScanEnd(bytes: Uint8Array, start: number): number {
  for (let at = start; at < bytes.length; at++) {
    if (bytes[at] !== 0xff) continue;
    const fill = at;
    while (bytes[at + 1] === 0xff) at++;
    const following = bytes[at + 1] ?? 0;
    const isData = following === 0x00 || isRestart(following);
    if (!isData) return fill;
  }
  return bytes.length;
}
