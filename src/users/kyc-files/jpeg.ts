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
import { readOrientation, writeOrientation } from "./exif-orientation.ts";

// ITU-T T.81, annex B.
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
/** Frames that browsers show: baseline, extended, progressive. */
const SHOWN_FRAMES = new Set([0xc0, 0xc1, 0xc2]);
/** Huffman tables, quantisation tables, number of lines, restart interval. */
const TABLES = new Set([0xc4, 0xdb, 0xdc, 0xdd]);

export const isJpeg = (bytes: Uint8Array) => bytes[0] === 0xff && bytes[1] === SOI && bytes[2] === 0xff;

/**
 * Walks a JPEG from its first marker to its last and keeps what a viewer needs: no Exif, XMP, IPTC or comment, where
 * cameras write the place, the owner and a thumbnail; of Exif only the orientation, else the picture lies on its side.
 */
export function cleanJpeg(bytes: Uint8Array): Cleaning {
  const pieces: Uint8Array[] = [bytes.subarray(0, 2)];
  let orientation: number | undefined;
  let frames = 0;
  let scans = 0;
  for (let at = 2; ; ) {
    if (bytes[at] !== 0xff) return broken;
    while (bytes[at + 1] === 0xff) at++;
    const marker = bytes[at + 1];
    if (marker === EOI) {
      if (frames !== 1 || scans === 0) return broken;
      const trailer = bytes.subarray(at + 2);
      if (!isOfCamera(trailer)) {
        const problem = findTrailerProblem(trailer);
        if (problem) return problem;
      }
      if (orientation !== undefined) pieces.splice(endOfJfif(pieces), 0, writeOrientation(orientation));
      return { ok: true, bytes: join([...pieces, bytes.subarray(at, at + 2)]) };
    }
    if (marker === undefined || at + 4 > bytes.length) return broken;
    const end = at + 2 + viewOf(bytes).getUint16(at + 2);
    if (end < at + 4 || end > bytes.length) return broken;
    const content = bytes.subarray(at + 4, end);
    let next = end;
    if (SHOWN_FRAMES.has(marker)) {
      frames++;
      const problem = findFrameProblem(content);
      if (problem) return problem;
    } else if (marker === SOS) {
      if (frames !== 1) return broken;
      scans++;
      next = endOfScan(bytes, end);
    } else if (isApplication(marker)) {
      if (marker === 0xe1) orientation ??= readOrientation(content);
    } else if (!TABLES.has(marker)) {
      return refused("This kind of JPEG cannot be shown. Send another picture.");
    }
    if (!isApplication(marker) || isNeeded(marker, content)) pieces.push(bytes.subarray(at, next));
    at = next;
  }
}

/** APP0 to APP15, and comments. */
const isApplication = (marker: number) => (marker >= 0xe0 && marker <= 0xef) || marker === 0xfe;

/** Of what applications add, only what decides how the pixels look. */
function isNeeded(marker: number, content: Uint8Array): boolean {
  const starts = (text: string) => latin1(content, 0, text.length) === text;
  if (marker === 0xe0) return starts("JFIF\0");
  if (marker === 0xe2) return starts("ICC_PROFILE\0");
  return marker === 0xee && starts("Adobe");
}

/** JFIF wants its segment to be the first. */
function endOfJfif(pieces: readonly Uint8Array[]): number {
  return pieces[1]?.[1] === 0xe0 ? 2 : 1;
}

function findFrameProblem(content: Uint8Array): Refusal | undefined {
  if (content.length < 6) return broken;
  const components = content[5] ?? 0;
  if (![1, 3, 4].includes(components) || content.length !== 6 + 3 * components) return broken;
  const view = viewOf(content);
  return findSizeProblem(view.getUint16(3), view.getUint16(1));
}

/** Where the compressed data of a scan ends: at the next marker that is neither stuffed nor a restart. */
function endOfScan(bytes: Uint8Array, start: number): number {
  for (let at = bytes.indexOf(0xff, start); at !== -1; at = bytes.indexOf(0xff, at + 1)) {
    const following = bytes[at + 1] ?? 0;
    const isData = following === 0x00 || (following >= 0xd0 && following <= 0xd7) || following === 0xff;
    if (!isData) return at;
  }
  return bytes.length;
}

/**
 * Phones put more behind the picture: another rendering of it, a moving one, a maker's block. It is dropped; refusing it
 * would refuse ordinary photos.
 */
function isOfCamera(trailer: Uint8Array): boolean {
  const isPicture = trailer[0] === 0xff && trailer[1] === SOI;
  const isFilm = latin1(trailer, 4, 4) === "ftyp";
  const isMakersBlock = latin1(trailer, trailer.length - 4, 4) === "SEFT";
  return isPicture || isFilm || isMakersBlock || trailer.every((byte) => byte === 0);
}
