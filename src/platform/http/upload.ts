import type { HonoRequest } from "hono";
import { type Fields, refuseEncoding } from "./body.ts";
import { AppError } from "./errors.ts";
import type { FieldError, FieldErrors } from "./field-errors.ts";
import { boundaryOf, bytesOf, isPlain, multipartReader, type Part, textOf } from "./multipart.ts";
import { malformed, type PartHead } from "./part-head.ts";
import type { Share } from "./upload-memory.ts";

/** Maximum size of a file. */
const MAX_FILE_MB = 8;
export const MAX_FILE_BYTES = MAX_FILE_MB * 1024 * 1024;
/** Maximum size of the whole body: two files with their headers and the text fields. */
const MAX_UPLOAD_BYTES = 17 * 1024 * 1024;
/** Maximum size of all text fields together. */
const MAX_TEXT_BYTES = 64 * 1024;
/**
 * Maximum size of a part's headers: enough for the longest file name that an operating system allows, in any encoding.
 */
const MAX_PART_HEADER_BYTES = 12 * 1024;
const MAX_PARTS = 24;
/** Size of the blocks passed to the parser, so that a body of many tiny chunks does not become as many objects. */
const BLOCK_BYTES = 64 * 1024;
/**
 * Time limit of a whole upload, in milliseconds: long enough for a slow phone, while a stalled upload releases its
 * memory.
 */
const DEADLINE_MS = 120_000;

/** A route's permission to continue with an upload. */
export interface Admission {
  /** Called if the files were not used because the body was incomplete or malformed, or the service failed. */
  onUnused(): void;
}

/** The parsed form of an upload. */
export interface Upload {
  /** Undefined if the form had no file and fitted into one block. */
  admission: Admission | undefined;
  fields: Fields;
  files: Map<string, Uint8Array<ArrayBuffer>>;
  /** Errors of individual parts; the caller adds those of the fields. */
  errors: FieldErrors;
}

/**
 * Reads a multipart body as a stream and never beyond the limits, regardless of its Content-Length (ASVS 5.2.1). File
 * names and declared types are ignored; undeclared parts are dropped.
 *
 * @param names the fields and files that the route declares.
 * @param admit called at most once: before more than the first block is read, or after it if it holds the whole form
 *   and a file. It refuses by throwing.
 * @throws AppError `payload_too_large`, `validation_error` if the body cannot be parsed, `service_unavailable` if the
 *   isolate holds too many uploads.
 */
export async function readUpload(
  request: HonoRequest,
  names: { fields: ReadonlySet<string>; files: ReadonlySet<string> },
  share: Share,
  admit: () => Promise<Admission | undefined>,
): Promise<Upload> {
  refuseEncoding(request);
  const parser = multipartReader(boundaryOf(request.header("content-type") ?? ""), {
    headBytes: MAX_PART_HEADER_BYTES,
    partBytes: MAX_FILE_BYTES,
    parts: MAX_PARTS,
    partTooLarge: (head) => tooLarge(head, names),
  });
  const upload: Upload = { admission: undefined, fields: {}, files: new Map(), errors: {} };
  const seen = { names: new Set<string>(), textBytes: 0, hasFile: false };
  let admission: Promise<Admission | undefined> | undefined;
  const admitOnce = async () => {
    admission ??= admit();
    upload.admission = await admission;
  };
  if (Number(request.header("content-length")) > BLOCK_BYTES) await admitOnce();
  try {
    for await (const block of readBlocks(request.raw, share)) {
      for (const part of parser.write(block)) takePart(upload, seen, names, part);
      const isWhole = parser.isClosed();
      if (isWhole ? seen.hasFile : block.length === BLOCK_BYTES) await admitOnce();
      // Anything after the closing delimiter is ignored (RFC 2046 section 5.1.1).
      if (isWhole) return upload;
    }
    throw malformed();
  } catch (error) {
    // If `admit` failed, this rethrows its error unchanged.
    if (admission && !upload.admission) await admission;
    // Any other error that is not an AppError comes from reading the body: the connection was lost.
    const refusal = error instanceof AppError ? error : malformed();
    if (refusal.code !== "payload_too_large") upload.admission?.onUnused();
    throw refusal;
  }
}

/**
 * Yields the body in blocks of `BLOCK_BYTES`; the last one may be shorter. At the time limit the body ends early, so
 * that the form is incomplete.
 *
 * @throws AppError `payload_too_large`; `service_unavailable` if the isolate holds too many uploads.
 */
async function* readBlocks(request: Request, share: Share): AsyncGenerator<Uint8Array> {
  const reader = request.body?.getReader();
  if (!reader) return;
  const stop = () => reader.cancel().catch(() => undefined);
  const timer = setTimeout(stop, DEADLINE_MS);
  let block = new Uint8Array(BLOCK_BYTES);
  let filled = 0;
  let total = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      total += value.length;
      if (total > MAX_UPLOAD_BYTES) throw new AppError("payload_too_large");
      share.take(value.length);
      for (let at = 0; at < value.length; ) {
        const taken = Math.min(value.length - at, BLOCK_BYTES - filled);
        block.set(value.subarray(at, at + taken), filled);
        at += taken;
        filled += taken;
        if (filled < BLOCK_BYTES) continue;
        yield block;
        block = new Uint8Array(BLOCK_BYTES);
        filled = 0;
      }
    }
    if (filled > 0) yield block.subarray(0, filled);
  } finally {
    clearTimeout(timer);
    await stop();
  }
}

type Names = Parameters<typeof readUpload>[1];

function takePart(
  upload: Upload,
  seen: { names: Set<string>; textBytes: number; hasFile: boolean },
  names: Names,
  part: Part,
): void {
  const { name } = part;
  const isForFile = names.files.has(name);
  const isFile = part.fileName !== "absent" || (isForFile && isFileWithoutName(part));
  if (!isFile) seen.textBytes += part.size;
  if (seen.textBytes > MAX_TEXT_BYTES) throw new AppError("payload_too_large");
  if (isFile && part.size > 0) seen.hasFile = true;
  if (!isForFile && !names.fields.has(name)) return;
  // An empty text and an unused file input count as absent.
  if (part.size === 0 && part.fileName !== "given") return;
  if (isForFile && !isFile && isNothing(textOf(part))) return;
  const problem = seen.names.has(name) ? "sent_twice" : isForFile ? findProblem(part, isFile) : undefined;
  seen.names.add(name);
  if (problem) upload.errors[name] = [{ code: problem }];
  else if (isForFile) upload.files.set(name, bytesOf(part));
  else upload.fields[name] = textOf(part);
}

/** Whether a text in a file field means that there is no file: `FormData` writes these words for a missing value. */
export const isNothing = (given: unknown): boolean =>
  typeof given === "string" && ["null", "undefined"].includes(given.trim().toLowerCase());

/** Some clients omit the file name. Then the media type, or bytes that are not text, identify a file. */
function isFileWithoutName(part: Part): boolean {
  if (part.mediaType !== undefined) return !part.mediaType.startsWith("text/");
  return typeof textOf(part) !== "string";
}

function findProblem(part: Part, isFile: boolean): FieldError["code"] | undefined {
  if (!isFile) return "not_file";
  if (!isPlain(part)) return "transfer_encoding";
  return part.size === 0 ? "file_empty" : undefined;
}

/** Builds the error for a part beyond the size limit of a file; it names the field if the route declares that file. */
function tooLarge({ name }: PartHead, names: Names): AppError {
  return new AppError("payload_too_large", {
    message: {
      en: `The file is too large. Each file may have at most ${MAX_FILE_MB} MB.`,
      ne: `फाइल धेरै ठूलो छ। हरेक फाइल बढीमा ${MAX_FILE_MB} MB हुन सक्छ।`,
    },
    ...(names.files.has(name) ? { fields: { [name]: [{ code: "file_too_large", max: MAX_FILE_MB }] } } : {}),
  });
}
