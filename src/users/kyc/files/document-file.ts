import type { Cleaning, Refusal } from "./cleaning.ts";
import { cleanJpeg, isJpeg } from "./jpeg.ts";
import { describeOtherFormat } from "./other-formats.ts";
import { cleanPdf, isPdf } from "./pdf.ts";
import { cleanPng, isPng } from "./png.ts";
import { cleanWebp, isWebp } from "./webp.ts";

export type DocumentType = "image/jpeg" | "image/png" | "image/webp" | "application/pdf";

const formats: readonly {
  contentType: DocumentType;
  is(bytes: Uint8Array): boolean;
  clean(bytes: Uint8Array<ArrayBuffer>): Cleaning;
}[] = [
  { contentType: "image/jpeg", is: isJpeg, clean: cleanJpeg },
  { contentType: "image/png", is: isPng, clean: cleanPng },
  { contentType: "image/webp", is: isWebp, clean: cleanWebp },
  { contentType: "application/pdf", is: isPdf, clean: cleanPdf },
];

/** A file that may be kept, with its type by what is in it. */
export type Inspected = { ok: true; contentType: DocumentType; bytes: Uint8Array<ArrayBuffer> } | Refusal;

/**
 * Tells by its content alone what a file is (ASVS 5.2.2), checks it from its first byte to its end, and takes out of a
 * picture what its camera wrote about place and person (ASVS 14.2.8).
 */
export function inspectDocument(bytes: Uint8Array<ArrayBuffer>): Inspected {
  const format = formats.find(({ is }) => is(bytes));
  if (!format) return { ok: false, error: describeOtherFormat(bytes) };
  const cleaned = format.clean(bytes);
  return cleaned.ok ? { ...cleaned, contentType: format.contentType } : cleaned;
}
