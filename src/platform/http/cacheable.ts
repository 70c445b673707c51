import type { Context } from "hono";
import { sha256 } from "../crypto.ts";
import type { AppEnv } from "./app-env.ts";

/** A public JSON document, serialised once, with its strong entity tag (RFC 9110 section 8.8.3). */
export interface CacheableDocument {
  bytes: Uint8Array<ArrayBuffer>;
  etag: string;
}

/** Serialises the value and computes its entity tag. */
export async function cacheable(value: unknown): Promise<CacheableDocument> {
  const text = JSON.stringify(value);
  return { bytes: new Uint8Array(new TextEncoder().encode(text)), etag: `"${await sha256(text)}"` };
}

/** Responds with the document, or 304 if the caller's copy is current. Public caches keep it for five minutes. */
export function respondCacheable(c: Context<AppEnv>, { bytes, etag }: CacheableDocument): Response {
  c.header("ETag", etag);
  c.header("Cache-Control", "public, max-age=300");
  if (matches(c.req.header("If-None-Match"), etag)) return c.body(null, 304);
  return c.body(bytes, 200, { "Content-Type": "application/json", "Content-Length": String(bytes.length) });
}

/** Weak comparison (RFC 9110 section 13.1.2), because a compressing proxy weakens the tag. */
function matches(given: string | undefined, etag: string): boolean {
  if (given === undefined) return false;
  if (given.trim() === "*") return true;
  return given.split(",").some((each) => each.trim().replace(/^W\//, "") === etag);
}
