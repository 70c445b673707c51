import type { FieldError } from "../../../platform/http/field-errors.ts";
import { latin1, startsWith, viewOf } from "./cleaning.ts";

/** How much of a file is searched for text that identifies its format. */
const START_BYTES = 1024;
/** Brands in the first box of an ISO media file (ISO 14496-12, 23008-12; AV1 Image File Format). */
const HEIC = new Set(["heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs"]);
const AVIF = new Set(["avif", "avis", "avio"]);
const HEIF = new Set(["mif1", "mif2", "msf1", "miaf"]);

const signatures: readonly [signature: string, name: string][] = [
  ["GIF8", "GIF"],
  ["BM", "BMP"],
  ["II*\0", "TIFF"],
  ["MM\0*", "TIFF"],
  ["II+\0", "TIFF"],
  ["MM\0+", "TIFF"],
  ["\xff\x0a", "JPEG XL"],
  ["\0\0\0\x0cJXL ", "JPEG XL"],
  ["\0\0\0\x0cjP  ", "JPEG 2000"],
  ["PK\x03\x04", "ZIP"],
  ["\xd0\xcf\x11\xe0", "Office"],
  ["{\\rtf", "RTF"],
];

/** Offset of the first file name in a ZIP archive, and the names with which Office documents begin. */
const ZIP_NAME_AT = 30;
const OFFICE_NAMES = ["[Content_Types].xml", "_rels/", "docProps/", "word/", "xl/", "ppt/", "mimetype"];

/** Why a file of another format is refused; names the format if it is known. */
export function describeOtherFormat(bytes: Uint8Array): FieldError {
  const image = nameOfImage(bytes);
  if (image === "video") return { code: "file_is_video" };
  if (image) return { code: "picture_format", format: image };
  const name = signatures.find(([signature]) => startsWith(bytes, 0, bytes.length, signature))?.[1];
  if (name === "ZIP" && OFFICE_NAMES.some((office) => startsWith(bytes, ZIP_NAME_AT, bytes.length, office))) {
    return { code: "file_format", format: "Office" };
  }
  const isSvg = /<svg[\s>]/i.test(latin1(bytes, 0, Math.min(START_BYTES, bytes.length)));
  const format = name ?? (isSvg ? "SVG" : undefined);
  return format ? { code: "file_format", format } : { code: "not_document" };
}

function nameOfImage(bytes: Uint8Array): "HEIC" | "HEIF" | "AVIF" | "video" | undefined {
  if (bytes.length < 12 || !startsWith(bytes, 4, bytes.length, "ftyp")) return undefined;
  const end = Math.min(viewOf(bytes).getUint32(0), bytes.length, START_BYTES);
  const brands = [latin1(bytes, 8, 4)];
  // The version is between the major brand and the compatible brands.
  for (let at = 16; at + 4 <= end; at += 4) brands.push(latin1(bytes, at, 4));
  if (brands.some((brand) => AVIF.has(brand))) return "AVIF";
  if (brands.some((brand) => HEIC.has(brand))) return "HEIC";
  return brands.some((brand) => HEIF.has(brand)) ? "HEIF" : "video";
}
