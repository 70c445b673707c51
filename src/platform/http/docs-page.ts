import { html, raw } from "hono/html";

/** A blue square with a white bolt. */
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' " +
  "rx='3' fill='%231b6ac9'/%3E%3Cpath d='M9 1 3 9h4l-1 6 6-8H8z' fill='%23fff'/%3E%3C/svg%3E";

/**
 * Hides the example bodies of errors, which all look alike, except that of 400. The viewer takes its colours from the
 * class `dark-mode`; the background of the page around it is set here.
 */
const STYLE = `
  body { margin: 0 }
  .dark-mode body { background: #1c2022 }
  .swagger-ui .topbar { display: none }
  .responses-inner tr.response:is([data-code^="4"], [data-code^="5"], [data-code="default"]):not([data-code="400"])
    :is(.model-example, .response-control-media-type) { display: none }
  .opblock-tag[data-tag^="Staff"] a::after { content: "staff"; margin-left: .6em; padding: .1em .5em; font-size: 12px;
    border-radius: 4px; background: #8a5a00; color: #fff }`;

/** Follows the system's colour scheme, and removes a pasted "Bearer ", because the viewer adds its own. */
const SCRIPT = `
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", follow);
  follow();
  SwaggerUIBundle({
    url: "/api/openapi.json",
    dom_id: "#docs",
    deepLinking: true,
    validatorUrl: null,
    persistAuthorization: true,
    showExtensions: true,
    defaultModelsExpandDepth: -1,
    requestInterceptor: (request) => {
      const given = request.headers?.Authorization;
      if (given) request.headers.Authorization = given.trim().replace(/^(Bearer\\s+)+/i, "Bearer ");
      return request;
    },
  });`;

/** The page that shows the document and tries its operations. @param nonce allows its scripts. */
export function docsPage(appName: string, nonce: string) {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${appName} Users API</title>
    <link rel="icon" href="${raw(ICON)}">
    <link rel="stylesheet" href="/api/docs/swagger-ui.css">
    <style>${raw(STYLE)}</style>
  </head>
  <body>
    <div id="docs"></div>
    <script src="/api/docs/swagger-ui-bundle.js" nonce="${nonce}"></script>
    <script nonce="${nonce}">${raw(SCRIPT)}</script>
  </body>
</html>`;
}
