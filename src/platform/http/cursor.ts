import { base64url } from "jose";
import type { z } from "zod";
import { equalInConstantTime, keyedHash } from "../crypto.ts";
import type { Deps } from "../deps.ts";
import { parseJson } from "../json.ts";
import { type AppError, fieldError } from "./errors.ts";

/** Length of the signature in bytes: 128 bits. */
const SIGNATURE_BYTES = 16;
/**
 * Maximum length of a cursor. Longer ones cannot be genuine and are refused before any work is done. The longest key of
 * a username, 150 times five bytes, makes one of 1,080 characters.
 */
const MAX_LENGTH = 2048;

/**
 * Encodes the position at which a page ended as an opaque string.
 *
 * @param query the query that the cursor belongs to: the route, its filters and, for a user's own rows, the user. The
 *   cursor is refused for any other query.
 * @param position sort position of the last row. It is signed but readable, so it must not contain secrets.
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
 * Returns the position in a cursor; undefined if there is no cursor, which requests the first page.
 *
 * @throws AppError `validation_error` on `cursor` if it was altered, is not genuine, or belongs to another query.
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
  // The decoder ignores white space and spare bits, so only the canonical encoding is accepted.
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
