import { z } from "zod";
import type { Keyring } from "../platform/config/keyring.ts";
import { type CacheableDocument, cacheable, respondCacheable } from "../platform/http/cacheable.ts";
import { publicRawEndpoint } from "../platform/http/raw-endpoint.ts";
import { EVERY_ROUTE, NOT_MODIFIED } from "../platform/openapi/operation.ts";

const jwks = z
  .object({
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
  })
  .meta({ id: "PublicKeys" });

let cached: { jwks: Keyring["jwks"]; document: CacheableDocument } | undefined;

/**
 * Publishes the keys that verify access tokens (RFC 7517). A key is published before it signs; see "Rotating secrets"
 * in docs/operations/runbook.md.
 */
export const getJwks = publicRawEndpoint(
  {
    method: "get",
    path: "/.well-known/jwks.json",
    home: "none",
    describe: () => ({
      operationId: "getPublicKeys",
      tag: "Platform",
      summary: "Get the public keys of access tokens",
      description:
        "Use these keys to verify access tokens. Cache the response and reload it if a token has an unknown `kid`.",
      responses: {
        200: { description: "A JSON Web Key Set.", headers: ["ETag"], content: { "application/json": jwks } },
        ...NOT_MODIFIED,
      },
      errors: EVERY_ROUTE,
    }),
  },
  async (c) => {
    const { jwks: current } = c.get("deps").keyring;
    if (cached?.jwks !== current) cached = { jwks: current, document: await cacheable(current) };
    return respondCacheable(c, cached.document);
  },
);
