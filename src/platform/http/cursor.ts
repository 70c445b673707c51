import { base64url } from "jose";
import type { z } from "zod";
import { equalInConstantTime, keyedHash } from "../crypto.ts";
import type { Deps } from "../deps.ts";
import { parseJson } from "../json.ts";
import { type AppError, fieldError } from "./errors.ts";

/** Bytes of the signature: 128 bits. */
const SIGNATURE_BYTES = 16;
/** Longer ones are not ours, and are refused before any work is spent on them. */
const MAX_LENGTH = 1024;

/**
 * Where a page ended, as an opaque text.
 *
 * @param query what the cursor belongs to: the route, its filters and, where rows are a person's own, whose they are. It
 *   continues no other query.
 * @param position the last row's place in the order; readable by whoever holds the cursor, so nothing secret.
 */
export async function writeCursor(
  deps: Pick<Deps, "keyring">,
  query: readonly string[],
  position: readonly (string | number | null)[],
): Promise<string> {
  const content = new TextEncoder().encode(JSON.stringify(position));
  return base64url.encode(content) + base64url.encode(await sign(deps, query, JSON.stringify(position)));
}

/**
 * The position in a cursor; undefined when there is none, which is the first page.
 *
 * @throws AppError `validation_error` on `cursor` when it was altered, is not ours, or belongs to another query.
 */
export async function readCursor<Position>(
  deps: Pick<Deps, "keyring">,
  query: readonly string[],
  cursor: string | undefined,
  schema: z.ZodType<Position>,
): Promise<Position | undefined> {
  if (cursor === undefined) return undefined;
  const { content, signature } = split(cursor);
  if (!equalInConstantTime(signature, await sign(deps, query, content))) throw refusal();
  const position = schema.safeParse(parseJson(content));
  if (!position.success) throw refusal();
  return position.data;
}

async function sign(deps: Pick<Deps, "keyring">, query: readonly string[], content: string): Promise<Uint8Array> {
  return (await keyedHash(deps.keyring.cursor, content, ...query)).subarray(0, SIGNATURE_BYTES);
}

function split(cursor: string): { content: string; signature: Uint8Array } {
  const signatureLength = Math.ceil((SIGNATURE_BYTES * 4) / 3);
  // The decoder drops white space and spare bits: only the one canonical text is a cursor.
  if (cursor.length > MAX_LENGTH || !/^[A-Za-z0-9_-]+$/.test(cursor)) throw refusal();
  try {
    const signature = base64url.decode(cursor.slice(-signatureLength));
    const content = base64url.decode(cursor.slice(0, -signatureLength));
    if (base64url.encode(content) + base64url.encode(signature) !== cursor) throw refusal();
    return { content: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content), signature };
  } catch {
    throw refusal();
  }
}

function refusal(): AppError {
  return fieldError("cursor", "unknown_cursor");
}
