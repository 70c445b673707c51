import {
  getMultipartBoundary,
  MaxFileSizeExceededError,
  MaxHeaderSizeExceededError,
  MaxPartsExceededError,
  MaxTotalSizeExceededError,
  MultipartParser,
  type MultipartPart,
} from "@remix-run/multipart-parser";
import type { HonoRequest } from "hono";
import type { Fields } from "./body.ts";
import { AppError, type FieldErrors } from "./errors.ts";
import type { Share } from "./upload-memory.ts";

/** A file, in bytes. */
export const MAX_FILE_BYTES = 8 * 1024 * 1024;
/** Two files, and the text and the headings beside them. */
const MAX_UPLOAD_BYTES = 17 * 1024 * 1024;
/** All text of an upload together. */
const MAX_TEXT_BYTES = 64 * 1024;
/** Headings of one part: enough for the longest file name that a system allows, in any encoding. */
const MAX_PART_HEADER_BYTES = 12 * 1024;
const MAX_PARTS = 24;
/** What is read at once: a body of many tiny pieces must not become as many objects. */
const BLOCK_BYTES = 64 * 1024;
/** How long a whole upload may take: a slow phone gets its time, one that stands still gives its memory back. */
const DEADLINE_MS = 120_000;

export interface Upload {
  fields: Fields;
  files: Map<string, Uint8Array<ArrayBuffer>>;
  /** What is wrong with single parts; the caller adds what is wrong with fields. */
  details: FieldErrors;
}

/**
 * Reads a multipart body as it arrives, never more of it than the caps, whatever Content-Length says (ASVS 5.2.1). File
 * names and declared types are not looked at; parts that nobody declared are dropped.
 *
 * @param names the fields and the files that the route declares.
 * @throws AppError `payload_too_large`, `validation_error` when it cannot be parsed, `service_unavailable` when the
 *   isolate holds too many uploads.
 */
export async function readUpload(
  request: HonoRequest,
  names: { fields: ReadonlySet<string>; files: ReadonlySet<string> },
  share: Share,
): Promise<Upload> {
  const encoding = request.header("content-encoding") ?? "identity";
  if (encoding.toLowerCase() !== "identity") {
    throw new AppError("unsupported_media_type", { message: "Send the body without Content-Encoding." });
  }
  if (Number(request.header("content-length")) > MAX_UPLOAD_BYTES) throw new AppError("payload_too_large");
  const boundary = getMultipartBoundary(request.header("content-type") ?? "")?.trim();
  // RFC 2046 section 5.1.1.
  if (!boundary || boundary.length > 70) throw malformed();
  const parser = new MultipartParser(boundary, {
    maxFileSize: MAX_FILE_BYTES,
    maxTotalSize: MAX_UPLOAD_BYTES,
    maxHeaderSize: MAX_PART_HEADER_BYTES,
    maxParts: MAX_PARTS,
  });
  const upload: Upload = { fields: {}, files: new Map(), details: {} };
  const seen = { names: new Set<string>(), textBytes: 0 };
  try {
    for await (const block of readBlocks(request.raw, share)) {
      for (const part of parser.write(block)) takePart(upload, seen, names, part);
      // What stands after the closing delimiter is nobody's (RFC 2046 section 5.1.1), and is not read.
      if (isClosed(parser)) return upload;
    }
    throw malformed();
  } catch (error) {
    throw describeRefusal(error);
  }
}

/** The body in blocks of one size, up to the cap and the deadline. */
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

function isClosed(parser: MultipartParser): boolean {
  try {
    parser.finish();
    return true;
  } catch {
    return false;
  }
}

type Names = Parameters<typeof readUpload>[1];

function takePart(
  upload: Upload,
  seen: { names: Set<string>; textBytes: number },
  names: Names,
  part: MultipartPart,
): void {
  const disposition = part.headers["content-disposition"] ?? "";
  const match = /;\s*name=(?:"([^"]*)"|([^\s";]+))/i.exec(disposition);
  const name = match?.[1] ?? match?.[2];
  if (name === undefined) throw malformed();
  const isText = !/;\s*filename\*?=/i.test(disposition);
  if (isText) seen.textBytes += part.size;
  if (seen.textBytes > MAX_TEXT_BYTES) throw new AppError("payload_too_large");
  const isFile = names.files.has(name);
  if (!isFile && !names.fields.has(name)) return;
  // An empty text, and a file input that nobody filled in, count as absent.
  if (part.size === 0 && (isText || /;\s*filename=""/i.test(disposition))) return;
  const problem = seen.names.has(name) ? "Was sent more than once." : findProblem(part, isText, isFile);
  seen.names.add(name);
  if (problem) upload.details[name] = [problem];
  else if (isFile) upload.files.set(name, part.bytes as Uint8Array<ArrayBuffer>);
  else upload.fields[name] = part.text;
}

function findProblem(part: MultipartPart, isText: boolean, isFile: boolean): string | undefined {
  if (isText === isFile) return isFile ? "Must be a file." : "Must be text.";
  return part.size === 0 ? "The file is empty." : undefined;
}

function describeRefusal(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const tooLarge = [
    MaxFileSizeExceededError,
    MaxTotalSizeExceededError,
    MaxHeaderSizeExceededError,
    MaxPartsExceededError,
  ];
  if (tooLarge.some((kind) => error instanceof kind)) return new AppError("payload_too_large");
  // What is left: a phone that lost its signal, a broken format, or text that is not UTF-8.
  return malformed();
}

function malformed(): AppError {
  return new AppError("validation_error", {
    message: "The multipart body is malformed, or ended before it was whole.",
  });
}
