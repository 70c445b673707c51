import { buildDocument, type DescribedWebhook } from "../openapi/document.ts";
import { EVERY_ROUTE, NOT_MODIFIED } from "../openapi/operation.ts";
import { fetchAsset } from "./assets.ts";
import { type CacheableDocument, cacheable, respondCacheable } from "./cacheable.ts";
import { docsPage } from "./docs-page.ts";
import { AppError } from "./errors.ts";
import { publicRawEndpoint } from "./raw-endpoint.ts";
import { describedRoutes, type Route } from "./route.ts";

const SWAGGER_FILES = new Set(["swagger-ui.css", "swagger-ui-bundle.js"]);
/** The viewer uses inline styles; its script and everything else come from this origin. */
const DOCS_POLICY =
  "default-src 'none'; script-src 'self' 'nonce-NONCE'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "connect-src 'self'; frame-ancestors 'none'";

/** Serves the OpenAPI 3.1 document of the routes, built on the first request. */
export function openApiDocument(routes: () => readonly Route[], webhooks: Readonly<Record<string, DescribedWebhook>>) {
  let cached: { facts: string; document: CacheableDocument } | undefined;
  return publicRawEndpoint(
    {
      method: "get",
      path: "/api/openapi.json",
      home: "none",
      describe: () => ({
        operationId: "getOpenApiDocument",
        tag: "Platform",
        summary: "Get the OpenAPI document",
        description: "Returns this OpenAPI 3.1 document.",
        responses: {
          200: {
            description: "The document.",
            headers: ["ETag"],
            content: { "application/json": { type: "object", additionalProperties: true } },
          },
          ...NOT_MODIFIED,
        },
        errors: EVERY_ROUTE,
      }),
    },
    async (c) => {
      const { appName, issuer, smsCountries } = c.get("deps").config;
      const facts = JSON.stringify([appName, issuer, smsCountries]);
      if (cached?.facts !== facts) {
        const document = buildDocument({ appName, issuer, smsCountries }, describedRoutes(routes()), webhooks);
        cached = { facts, document: await cacheable(document) };
      }
      return respondCacheable(c, cached.document);
    },
  );
}

/** Redirects the short address to the page. */
export const redirectToDocs = publicRawEndpoint({ method: "get", path: "/docs", home: "none" }, (c) =>
  c.redirect("/api/docs", 303),
);

/** Leads a developer who opens the bare address to the page. */
export const redirectRootToDocs = publicRawEndpoint({ method: "get", path: "/", home: "none" }, (c) =>
  c.redirect("/api/docs", 303),
);

/** Serves a page that shows the document without loading anything from other hosts. */
export const getDocs = publicRawEndpoint(
  {
    method: "get",
    path: "/api/docs",
    home: "none",
    describe: () => ({
      operationId: "showDocs",
      tag: "Platform",
      summary: "Show the API documentation",
      description: "Shows this document as a page, on which each operation can be tried.",
      responses: { 200: { description: "The page.", content: { "text/html": { type: "string" } } } },
      errors: EVERY_ROUTE,
    }),
  },
  (c) => {
    const nonce = crypto.randomUUID();
    c.header("Content-Security-Policy", DOCS_POLICY.replace("NONCE", nonce));
    return c.html(docsPage(c.get("deps").config.appName, nonce));
  },
);

/** Serves the script and the style sheet of the page. */
export const getDocsFile = publicRawEndpoint({ method: "get", path: "/api/docs/{file}", home: "none" }, async (c) => {
  if (!SWAGGER_FILES.has(c.req.param("file") ?? "")) throw new AppError("not_found");
  const asset = await fetchAsset(c, c.req.path);
  const response = new Response(asset.body, asset);
  response.headers.set("Cache-Control", "public, max-age=86400");
  return response;
});
