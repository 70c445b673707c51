import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import type { Keyring } from "../platform/config/keyring.ts";
import type { AppEnv } from "../platform/http/app-env.ts";
import { type CacheableDocument, cacheable, respondCacheable } from "../platform/http/cacheable.ts";
import { deferDescription, EVERY_ROUTE, failures, NOT_MODIFIED } from "../platform/http/openapi.ts";

const jwks = z.object({
  keys: z.array(
    z.object({
      kid: z.string(),
      kty: z.literal("OKP"),
      crv: z.literal("Ed25519"),
      x: z.string(),
      use: z.literal("sig"),
      alg: z.literal("EdDSA"),
    }),
  ),
});

/**
 * Publishes the keys that verify access tokens (RFC 7517). A key is published before it signs; see the docs on
 * rotation.
 */
export function mountJwks(app: OpenAPIHono<AppEnv>): void {
  deferDescription(app, () => ({
    method: "get",
    path: "/.well-known/jwks.json",
    tags: ["Platform"],
    summary: "Get the public keys of access tokens",
    description:
      "Use these keys to verify access tokens. Cache the response and reload it if a token has an unknown `kid`.",
    responses: {
      200: { description: "A JSON Web Key Set.", content: { "application/json": { schema: jwks } } },
      ...NOT_MODIFIED,
      ...failures(EVERY_ROUTE),
    },
  }));
  let cached: { jwks: Keyring["jwks"]; document: CacheableDocument } | undefined;
  app.get("/.well-known/jwks.json", async (c) => {
    const { jwks: current } = c.get("deps").keyring;
    if (cached?.jwks !== current) cached = { jwks: current, document: await cacheable(current) };
    return respondCacheable(c, cached.document);
  });
}
