import { z } from "zod";
import type { Config } from "../../platform/config/config.ts";
import { type CacheableDocument, cacheable, respondCacheable } from "../../platform/http/cacheable.ts";
import { AppError } from "../../platform/http/errors.ts";
import { publicRawEndpoint } from "../../platform/http/raw-endpoint.ts";
import { EVERY_ROUTE, NOT_MODIFIED } from "../../platform/openapi/operation.ts";
import { ANDROID_RELATIONS, associations } from "./association.ts";
import type { Passkeys } from "./passkey-settings.ts";

// Documents by which a domain names the apps and pages that may use its passkeys. They are served at the domain of the
// passkeys, which is seldom the API's own; see the docs on passkeys.

interface Association<Shape extends z.ZodType> {
  file: string;
  operationId: string;
  summary: string;
  description: string;
  shape: Shape;
  /** The document's content; undefined if the configuration names nothing for it. */
  contentOf(passkeys: Passkeys): z.input<Shape> | undefined;
}

function associationRoute<Shape extends z.ZodType>(association: Association<Shape>) {
  const { file, shape, contentOf, operationId, summary, description } = association;
  let cached: { config: Config; document: CacheableDocument } | undefined;
  return publicRawEndpoint(
    {
      method: "get",
      path: `/.well-known/${file}`,
      home: "none",
      describe: () => ({
        operationId,
        tag: "Passkeys",
        summary,
        description,
        responses: {
          200: { description: "The document.", headers: ["ETag"], content: { "application/json": shape } },
          ...NOT_MODIFIED,
        },
        errors: ["not_found", ...EVERY_ROUTE],
      }),
    },
    async (c) => {
      const { config } = c.get("deps");
      const content = config.passkeys && contentOf(config.passkeys);
      if (content === undefined) throw new AppError("not_found");
      if (cached?.config !== config) cached = { config, document: await cacheable(content) };
      return respondCacheable(c, cached.document);
    },
  );
}

/** iOS apps, see https://developer.apple.com/documentation/xcode/supporting-associated-domains. */
export const getAppleAppSiteAssociation = associationRoute({
  file: "apple-app-site-association",
  operationId: "getAppleAppSiteAssociation",
  summary: "Get the iOS apps that may use the domain's passkeys",
  description: "Apple's servers fetch it at the domain of the passkeys.",
  shape: z.object({ webcredentials: z.object({ apps: z.array(z.string()) }) }).meta({ id: "AppleAppSiteAssociation" }),
  contentOf: associations["apple-app-site-association"],
});

/** Android apps, see https://developers.google.com/digital-asset-links. */
export const getAssetLinks = associationRoute({
  file: "assetlinks.json",
  operationId: "getAssetLinks",
  summary: "Get the Android apps that may use the domain's passkeys",
  description: "Android fetches it at the domain of the passkeys.",
  shape: z.array(
    z
      .object({
        relation: z.array(z.enum(ANDROID_RELATIONS)),
        target: z.object({
          namespace: z.literal("android_app"),
          package_name: z.string(),
          sha256_cert_fingerprints: z.array(z.string()),
        }),
      })
      .meta({ id: "AssetLink" }),
  ),
  contentOf: associations["assetlinks.json"],
});

/** Pages of other domains (WebAuthn Level 3 section 5.11.1). */
export const getRelatedOrigins = associationRoute({
  file: "webauthn",
  operationId: "getRelatedOrigins",
  summary: "Get the pages of other domains that may use the domain's passkeys",
  description: "Browsers fetch it at the domain of the passkeys.",
  shape: z.object({ origins: z.array(z.string()) }).meta({ id: "RelatedOrigins" }),
  contentOf: associations.webauthn,
});
