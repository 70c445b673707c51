import type { HonoRequest } from "hono";
import { AppError } from "./errors.ts";
import type { Text } from "./locale.ts";

/** JSON and form bodies, in bytes. */
export const MAX_BODY_BYTES = 64 * 1024;
const USUAL_BODY_BYTES = 4 * 1024;

export type Fields = Record<string, unknown>;

/** For a compressed body. */
export const noEncoding: Text = {
  en: "Send the body without Content-Encoding.",
  ne: "Content-Encoding बिना पठाउनुहोस्।",
};

/**
 * Reads the fields of a JSON, urlencoded or multipart body. An empty body has no fields; a field that holds the empty
 * string counts as absent. Of repeated names the last wins, in JSON (RFC 8259 section 4) and in forms alike.
 *
 * @throws AppError `payload_too_large`, `unsupported_media_type`, or `validation_error` when it cannot be parsed.
 */
export async function readFields(request: HonoRequest): Promise<Fields> {
  const bytes = await readCapped(request.raw);
  if (bytes.length === 0) return {};
  const encoding = request.header("content-encoding") ?? "identity";
  if (encoding.toLowerCase() !== "identity") {
    throw new AppError("unsupported_media_type", { message: noEncoding });
  }
  const contentType = request.header("content-type") ?? "";
  const mediaType = contentType.split(";")[0]?.trim().toLowerCase();
  if (mediaType === "application/json") return parseJson(bytes);
  if (mediaType === "application/x-www-form-urlencoded") return fromForm(parseForm(decodeUtf8(bytes)));
  if (mediaType === "multipart/form-data") return fromForm(await parseMultipart(bytes, contentType));
  throw new AppError("unsupported_media_type");
}

/** Reads a body of at most `MAX_BODY_BYTES`. Content-Length says how much to make room for, not how much there is (ASVS 5.2.1). */
async function readCapped({ body, headers }: Request): Promise<Uint8Array> {
  if (!body) return new Uint8Array();
  const declared = Number(headers.get("content-length") ?? MAX_BODY_BYTES);
  if (declared > MAX_BODY_BYTES) throw new AppError("payload_too_large");
  // One byte more than there may be, so that the end is seen in the same call.
  const room = Number.isInteger(declared) && declared >= 0 ? declared + 1 : MAX_BODY_BYTES + 1;
  let bytes: Uint8Array;
  try {
    const reader = byteReader(body);
    // Who announces much and sends nothing takes no more room than this.
    bytes = await fill(reader, Math.min(room, USUAL_BODY_BYTES));
    if (bytes.length === USUAL_BODY_BYTES) bytes = joined(bytes, await fill(reader, room - bytes.length));
  } catch {
    // A phone that loses its signal is no fault of ours.
    throw malformed({ en: "The body is incomplete. Send it again.", ne: "अनुरोध अपूरो आयो। फेरि पठाउनुहोस्।" });
  }
  if (bytes.length === room) throw new AppError("payload_too_large");
  return bytes;
}

/** What fills so much room, or less at the end of the body. */
async function fill(reader: ReadableStreamBYOBReader, room: number): Promise<Uint8Array> {
  if (room === 0) return new Uint8Array();
  return (await reader.readAtLeast(room, new Uint8Array(room))).value ?? new Uint8Array();
}

function joined(first: Uint8Array, then: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + then.length);
  bytes.set(first);
  bytes.set(then, first.length);
  return bytes;
}

/** A reader that fills a buffer; a stream that another Worker's code makes may have none of its own. */
function byteReader(body: ReadableStream): ReadableStreamBYOBReader {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return body.pipeThrough(new IdentityTransformStream()).getReader({ mode: "byob" });
  }
}

function malformed(message: Text): AppError {
  return new AppError("validation_error", { message });
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw malformed({ en: "The body is not valid UTF-8.", ne: "अनुरोध UTF-8 मा छैन।" });
  }
}

function parseJson(bytes: Uint8Array): Fields {
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(bytes));
  } catch (error) {
    throw error instanceof AppError
      ? error
      : malformed({ en: "The body is not valid JSON.", ne: "अनुरोध सही JSON होइन।" });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformed({ en: "The body must be a JSON object.", ne: "अनुरोध JSON object हुनुपर्छ।" });
  }
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== ""));
}

/** URLSearchParams puts a replacement character where the escaped bytes are no UTF-8, and says nothing. */
function parseForm(text: string): URLSearchParams {
  for (const [escaped] of text.matchAll(/(?:%[89a-f][\da-f])+/gi)) {
    try {
      decodeURIComponent(escaped);
    } catch {
      throw malformed({ en: "The body is not valid UTF-8.", ne: "अनुरोध UTF-8 मा छैन।" });
    }
  }
  return new URLSearchParams(text);
}

async function parseMultipart(bytes: Uint8Array, contentType: string): Promise<FormData> {
  try {
    return await new Response(bytes, { headers: { "content-type": contentType } }).formData();
  } catch {
    throw malformed({ en: "The multipart body is malformed.", ne: "multipart अनुरोध बिग्रिएको छ।" });
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
