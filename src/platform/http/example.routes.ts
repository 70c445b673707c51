import type { Context } from "hono";
import type { AppEnv } from "./app-env.ts";
import { fetchAsset } from "./assets.ts";
import { AppError } from "./errors.ts";
import { publicRawEndpoint } from "./raw-endpoint.ts";

const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; frame-ancestors 'none'";

/** Shows the example app of the client package, in development. */
export const getExample = publicRawEndpoint({ method: "get", path: "/example", home: "none" }, async (c) => {
  const response = await serve(c, "index.html");
  response.headers.set("Content-Security-Policy", PAGE_POLICY);
  return response;
});

/** Serves the script of the example app. */
export const getExampleFile = publicRawEndpoint({ method: "get", path: "/example/{file}", home: "none" }, (c) => {
  if (c.req.param("file") !== "main.js") throw new AppError("not_found");
  return serve(c, "main.js");
});

async function serve(c: Context<AppEnv>, file: string): Promise<Response> {
  const asset = await fetchAsset(c, `/example/${file}`);
  return new Response(asset.body, asset);
}
