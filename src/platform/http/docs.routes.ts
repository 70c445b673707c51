import type { OpenAPIHono } from "@hono/zod-openapi";
import { html, raw } from "hono/html";
import { version } from "../../../package.json";
import type { AppEnv } from "./app-env.ts";
import { type CacheableDocument, cacheable, respondCacheable } from "./cacheable.ts";
import { AppError } from "./errors.ts";
import { EVERY_ROUTE, failures, NOT_MODIFIED, registerDeferredRoutes } from "./openapi.ts";
import { publicRawEndpoint } from "./raw-endpoint.ts";

const SWAGGER_FILES = new Set(["swagger-ui.css", "swagger-ui-bundle.js"]);
/** The viewer uses inline styles; its script and everything else come from this origin. */
const DOCS_POLICY =
  "default-src 'none'; script-src 'self' 'nonce-NONCE'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "connect-src 'self'; frame-ancestors 'none'";

/** Conventions of every route, for people who write clients. */
const CONVENTIONS = `
Bodies may be JSON, urlencoded or multipart, with the same field names, up to 64 KB. Unknown fields are ignored.
Files are parts of a multipart body, up to 8 MB each.

Success is \`{success: true, message, data}\`; failure is \`{success: false, error: {code, message, details?}, request_id}\`.
Branch on \`error.code\`; show \`error.message\`; \`details\` lists the invalid fields of a \`validation_error\`.

- **401** means that the user is signed out. **503** and **500** do not: keep the tokens and retry, after \`Retry-After\`
  seconds if the header is present.
- **429** carries \`Retry-After\`.
- Send an \`Idempotency-Key\` if a route accepts one. If a response is lost, repeat the call with the same key and body:
  the call returns the same response and has no second effect.
- Every response has an \`X-Request-Id\`. Quote it when you contact support.`;

const describePage = (summary: string, description: string, type: string, more = {}) => ({
  tags: ["Platform"],
  summary,
  description,
  responses: {
    200: { description: summary, content: { [type]: { schema: {} } } },
    ...more,
    ...failures(EVERY_ROUTE),
  },
});

/** Serves the OpenAPI 3.1 document of all routes that `app` has mounted, built on the first request. */
export function openApiDocument(app: OpenAPIHono<AppEnv>) {
  let cached: { title: string; document: CacheableDocument } | undefined;
  return publicRawEndpoint(
    {
      method: "get",
      path: "/api/openapi.json",
      describe: () =>
        describePage("OpenAPI document", "Returns this OpenAPI 3.1 document.", "application/json", NOT_MODIFIED),
    },
    async (c) => {
      const title = `${c.get("deps").config.appName} Users API`;
      if (cached?.title !== title) {
        registerDeferredRoutes(app);
        const info = { title, version, description: CONVENTIONS };
        const described = app.getOpenAPI31Document({ openapi: "3.1.0", info, servers: [{ url: "/" }] });
        cached = { title, document: await cacheable(described) };
      }
      return respondCacheable(c, cached.document);
    },
  );
}

/** Redirects the short address to the page. */
export const redirectToDocs = publicRawEndpoint({ method: "get", path: "/docs" }, (c) => c.redirect("/api/docs", 303));

/** Serves a page that shows the document without loading anything from other hosts. */
export const getDocs = publicRawEndpoint(
  {
    method: "get",
    path: "/api/docs",
    describe: () => describePage("API documentation", "Shows this document as a page.", "text/html"),
  },
  (c) => {
    const nonce = crypto.randomUUID();
    c.header("Content-Security-Policy", DOCS_POLICY.replace("NONCE", nonce));
    return c.html(docsPage(nonce));
  },
);

/** Serves the script and the style sheet of the page. */
export const getDocsFile = publicRawEndpoint({ method: "get", path: "/api/docs/{file}" }, async (c) => {
  if (!SWAGGER_FILES.has(c.req.param("file") ?? "")) throw new AppError("not_found");
  const asset = await c.env.ASSETS.fetch(new URL(c.req.path, c.req.url));
  const response = new Response(asset.body, asset);
  response.headers.set("Cache-Control", "public, max-age=86400");
  return response;
});

function docsPage(nonce: string) {
  const start = `SwaggerUIBundle({
    url: "/api/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null, persistAuthorization: true, defaultModelsExpandDepth: -1,
  });`;
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Users API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/api/docs/swagger-ui.css">
  </head>
  <body>
    <div id="docs"></div>
    <script src="/api/docs/swagger-ui-bundle.js" nonce="${nonce}"></script>
    <script nonce="${nonce}">${raw(start)}</script>
  </body>
</html>`;
}
