import type { HonoRequest } from "hono";
import { AppError } from "./errors.ts";
import { boundaryOf, joined, Misfit, multipartReader, textOf } from "./multipart.ts";
import { malformed } from "./part-head.ts";

/** Maximum size of JSON and form bodies, in bytes. */
export const MAX_BODY_BYTES = 64 * 1024;
const USUAL_BODY_BYTES = 4 * 1024;

/** Fields of a body or a query by name, before validation. */
export type Fields = Record<string, unknown>;

/** Values that mean no encoding; some clients send the charset here by mistake. */
const NO_ENCODINGS = ["", "identity", "utf-8", "utf8"];

/** @throws AppError `unsupported_media_type` for a compressed body. */
export function refuseEncoding(request: HonoRequest): void {
  const encodings = (request.header("content-encoding") ?? "").split(",").map((each) => each.trim().toLowerCase());
  if (encodings.every((each) => NO_ENCODINGS.includes(each))) return;
  throw new AppError("unsupported_media_type", {
    message: {
      en: "Compressed bodies are not accepted. Send the body without Content-Encoding.",
      ne: "compress गरिएको अनुरोध स्वीकार हुँदैन। Content-Encoding बिना पठाउनुहोस्।",
    },
  });
}

/**
 * Reads the fields of a JSON, urlencoded or multipart body. An empty body has no fields, and a field with an empty
 * string counts as absent. A repeated field of a form is a `Misfit`; in JSON the last one wins (RFC 8259 section 4).
 *
 * @throws AppError `payload_too_large`, `unsupported_media_type`, or `validation_error` if the body cannot be parsed.
 */
export async function readFields(request: HonoRequest): Promise<Fields> {
  const bytes = await readCapped(request.raw);
  if (bytes.length === 0) return {};
  refuseEncoding(request);
  const contentType = request.header("content-type") ?? "";
  const mediaType = contentType.split(";")[0]?.trim().toLowerCase();
  if (mediaType === "application/json") return parseObject(bytes);
  if (mediaType === "application/x-www-form-urlencoded") return fieldsOf(parseForm(decodeUtf8(bytes)));
  if (mediaType === "multipart/form-data") return fieldsOf(parseMultipart(bytes, contentType));
  throw new AppError("unsupported_media_type");
}

/**
 * Reads a body of at most `MAX_BODY_BYTES`. The bytes are counted, because Content-Length may be wrong (ASVS 5.2.1); a
 * body that is longer than declared is too large.
 */
async function readCapped({ body, headers }: Request): Promise<Uint8Array> {
  if (!body) return new Uint8Array();
  const declared = Number(headers.get("content-length") ?? MAX_BODY_BYTES);
  if (declared > MAX_BODY_BYTES) throw new AppError("payload_too_large");
  // One byte more than allowed, so that the end of the body is detected in the same read.
  const room = Number.isInteger(declared) && declared >= 0 ? declared + 1 : MAX_BODY_BYTES + 1;
  let bytes: Uint8Array;
  try {
    const reader = byteReader(body);
    // Start with a small buffer, because a client may announce a large body and send nothing.
    bytes = await fill(reader, Math.min(room, USUAL_BODY_BYTES));
    if (bytes.length === USUAL_BODY_BYTES) bytes = joined(bytes, await fill(reader, room - bytes.length));
  } catch {
    // A client that loses its connection is not a server error.
    throw malformed({ en: "The body is incomplete. Send it again.", ne: "अनुरोध अपूरो आयो। फेरि पठाउनुहोस्।" });
  }
  if (bytes.length === room) throw new AppError("payload_too_large");
  return bytes;
}

/** Reads up to `room` bytes; fewer at the end of the body. */
async function fill(reader: ReadableStreamBYOBReader, room: number): Promise<Uint8Array> {
  if (room === 0) return new Uint8Array();
  return (await reader.readAtLeast(room, new Uint8Array(room))).value ?? new Uint8Array();
}

/** A reader that fills a buffer. A stream created by another Worker's code may not support one directly. */
function byteReader(body: ReadableStream): ReadableStreamBYOBReader {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return body.pipeThrough(new IdentityTransformStream()).getReader({ mode: "byob" });
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

const notUtf8 = () => malformed({ en: "The body is not valid UTF-8.", ne: "अनुरोध UTF-8 मा छैन।" });

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw notUtf8();
  }
}

function parseObject(bytes: Uint8Array): Fields {
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

/**
 * Whether the percent-encoded bytes of a form or query are valid UTF-8. URLSearchParams silently replaces those that
 * are not.
 */
export function hasUtf8Escapes(text: string): boolean {
  for (const [escaped] of text.matchAll(/(?:%[89a-f][\da-f])+/gi)) {
    try {
      decodeURIComponent(escaped);
    } catch {
      return false;
    }
  }
  return true;
}

function parseForm(text: string): URLSearchParams {
  if (!hasUtf8Escapes(text)) throw notUtf8();
  return new URLSearchParams(text);
}

/** Maximum number of parts of a form without files. More would fit into a body only if they were almost empty. */
const MAX_PARTS = 1000;

function* parseMultipart(bytes: Uint8Array, contentType: string): Generator<[string, string | Misfit]> {
  const tooLarge = () => new AppError("payload_too_large");
  const limits = { headBytes: MAX_BODY_BYTES, partBytes: MAX_BODY_BYTES, parts: MAX_PARTS, partTooLarge: tooLarge };
  const reader = multipartReader(boundaryOf(contentType), limits);
  for (const part of reader.write(bytes)) yield [part.name, textOf(part)];
  if (!reader.isClosed()) throw malformed();
}

/**
 * The fields of a form or a query. A field with an empty value counts as absent, and one with several values is a
 * `Misfit`, because another parser of the same text might use another of them (ASVS 15.3.7, RFC 6749 section 3.1).
 */
export function fieldsOf(pairs: Iterable<[string, string | Misfit]>): Fields {
  const fields = new Map<string, unknown>();
  for (const [name, value] of pairs) {
    if (value !== "") fields.set(name, fields.has(name) ? new Misfit("sent_twice") : value);
  }
  return Object.fromEntries(fields);
}
