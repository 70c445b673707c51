import type { HonoRequest } from "hono";
import { AppError } from "./errors.ts";

/** JSON and form bodies, in bytes. */
export const MAX_BODY_BYTES = 64 * 1024;

export type Fields = Record<string, unknown>;

/**
 * Reads the fields of a JSON, urlencoded or multipart body. An empty body has no fields; in a form an empty value
 * counts as absent. Of repeated names the last wins, in JSON (RFC 8259 section 4) and in forms alike.
 *
 * @throws AppError `payload_too_large`, `unsupported_media_type`, or `validation_error` when it cannot be parsed.
 */
export async function readFields(request: HonoRequest): Promise<Fields> {
  const bytes = await readCapped(request.raw);
  if (bytes.length === 0) return {};
  const encoding = request.header("content-encoding") ?? "identity";
  if (encoding.toLowerCase() !== "identity") {
    throw new AppError("unsupported_media_type", { message: "Send the body without Content-Encoding." });
  }
  const contentType = request.header("content-type") ?? "";
  const mediaType = contentType.split(";")[0]?.trim().toLowerCase();
  if (mediaType === "application/json") return parseJson(bytes);
  if (mediaType === "application/x-www-form-urlencoded") return fromForm(parseForm(decodeUtf8(bytes)));
  if (mediaType === "multipart/form-data") return fromForm(await parseMultipart(bytes, contentType));
  throw new AppError("unsupported_media_type");
}

/** Reads a body of at most `MAX_BODY_BYTES` (ASVS 5.2.1). */
async function readCapped(request: Request): Promise<Uint8Array> {
  const { body, headers } = request;
  if (!body) return new Uint8Array();
  const declared = headers.get("content-length");
  if (Number(declared) > MAX_BODY_BYTES) throw new AppError("payload_too_large");
  let bytes: Uint8Array;
  try {
    // A connection carries no more than it declares (RFC 9112 section 6.3).
    bytes = declared === null ? await readUntilTooMuch(body) : new Uint8Array(await request.arrayBuffer());
  } catch {
    // A phone that loses its signal is no fault of ours.
    throw malformed("The body ended before it was whole.");
  }
  if (bytes.length > MAX_BODY_BYTES) throw new AppError("payload_too_large");
  return bytes;
}

/** The bytes of a body of unknown length, to the chunk that makes them too many. */
async function readUntilTooMuch(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_BODY_BYTES) break;
  }
  const bytes = new Uint8Array(length);
  let end = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, end);
    end += chunk.length;
  }
  return bytes;
}

function malformed(message: string): AppError {
  return new AppError("validation_error", { message });
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw malformed("The body is not UTF-8.");
  }
}

function parseJson(bytes: Uint8Array): Fields {
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(bytes));
  } catch (error) {
    throw error instanceof AppError ? error : malformed("The body is not valid JSON.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformed("The body must be a JSON object.");
  }
  return value as Fields;
}

/** URLSearchParams puts a replacement character where the escaped bytes are no UTF-8, and says nothing. */
function parseForm(text: string): URLSearchParams {
  for (const [escaped] of text.matchAll(/(?:%[89a-f][\da-f])+/gi)) {
    try {
      decodeURIComponent(escaped);
    } catch {
      throw malformed("The body is not UTF-8.");
    }
  }
  return new URLSearchParams(text);
}

async function parseMultipart(bytes: Uint8Array, contentType: string): Promise<FormData> {
  try {
    return await new Response(bytes, { headers: { "content-type": contentType } }).formData();
  } catch {
    throw malformed("The multipart body is malformed.");
  }
}

function fromForm(form: Iterable<[string, string | File]>): Fields {
  const fields = new Map<string, unknown>();
  for (const [name, value] of form) {
    if (value === "") fields.delete(name);
    else fields.set(name, value);
  }
  return Object.fromEntries(fields);
}
