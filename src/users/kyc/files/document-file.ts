import type { FieldError } from "../../../platform/http/field-errors.ts";
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

/** A file ready to be stored and the type of its content, or why it is refused. */
export type Inspected = { ok: true; contentType: DocumentType; bytes: Uint8Array<ArrayBuffer> } | Refusal;

/**
 * Detects a file's type from its content alone (ASVS 5.2.2), validates the whole file, and removes what the camera
 * recorded in an image about place and person (ASVS 14.2.8).
 */
export function inspectDocument(bytes: Uint8Array<ArrayBuffer>): Inspected {
  const format = formats.find(({ is }) => is(bytes));
  if (!format) return { ok: false, error: describeOtherFormat(bytes) };
  const cleaned = format.clean(bytes);
  return cleaned.ok ? { ...cleaned, contentType: format.contentType } : cleaned;
}

/** Why a file is refused; undefined if it is accepted. */
export function findDocumentProblem(bytes: Uint8Array<ArrayBuffer>): FieldError | undefined {
  const inspected = inspectDocument(bytes);
  return inspected.ok ? undefined : inspected.error;
}
