import type { Context } from "hono";
import type { Config } from "../platform/config/config.ts";
import type { AppEnv } from "../platform/http/app-env.ts";
import { fetchAsset } from "../platform/http/assets.ts";
import { originOf } from "../platform/http/client.ts";
import { AppError } from "../platform/http/errors.ts";
import { EVERY_ROUTE } from "../platform/openapi/operation.ts";
import { visitorEndpoint } from "./console.guard.ts";

/**
 * The page may run and show only its own files, talk only to this origin, and turn no text into HTML or script (ASVS
 * 3.4.3; W3C Trusted Types). The path keeps the scripts of the documentation page out.
 */
const policyFor = (origin: string) =>
  [
    "default-src 'none'",
    `script-src ${origin}/console/files/`,
    `style-src ${origin}/console/files/`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "frame-src blob:",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");

const PERMISSIONS = "camera=(), microphone=(), geolocation=(), clipboard-read=()";

/** The domain of the passkeys, for the page; empty unless the page's origin is one of PASSKEY_ORIGINS. */
const passkeyDomain = (origin: string, { passkeys }: Config) =>
  passkeys?.origins.includes(origin) ? passkeys.rpId : "";

/** Serves the page at each of its addresses; the page itself finds the screen. */
async function servePage(c: Context<AppEnv>): Promise<Response> {
  const page = await fetchAsset(c, "/console/index.html");
  const domain = passkeyDomain(originOf(c.req.url), c.get("deps").config);
  return new Response((await page.text()).replace("PASSKEY_DOMAIN", domain), {
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": policyFor(originOf(c.req.url)),
      "Permissions-Policy": PERMISSIONS,
      "X-Robots-Tag": "noindex",
    },
  });
}

export const getConsole = visitorEndpoint(
  {
    method: "get",
    path: "/console",
    home: "none",
    describe: () => ({
      operationId: "showConsole",
      tag: "Console",
      summary: "Show the staff console",
      description: "Shows the page on which staff work. Its other addresses, such as `/console/people`, show it too.",
      responses: { 200: { description: "The page.", content: { "text/html": { type: "string" } } } },
      errors: ["not_found", "permission_denied", ...EVERY_ROUTE],
    }),
  },
  servePage,
);

/** Every other address below /console, except those of files and of the session routes. */
const SCREEN = "/console/:screen{(?!session(?:/|$)|files(?:/|$)).+}";

export const getConsoleScreen = visitorEndpoint(
  { method: "get", path: "/console/{screen}", pattern: SCREEN, home: "none" },
  servePage,
);

/** Script and style sheet of the page; their names contain a hash of their content. */
const FILE = /^console-[A-Z0-9]{8}\.(js|css)$/;

export const getConsoleFile = visitorEndpoint(
  { method: "get", path: "/console/files/{file}", home: "none" },
  async (c) => {
    const name = c.req.param("file") ?? "";
    if (!FILE.test(name)) throw new AppError("not_found");
    const asset = await fetchAsset(c, `/console/files/${name}`);
    const headers = new Headers({ "Cache-Control": "public, max-age=31536000, immutable" });
    for (const kept of ["Content-Type", "ETag"]) {
      const value = asset.headers.get(kept);
      if (value !== null) headers.set(kept, value);
    }
    return new Response(asset.body, { headers });
  },
);
