import type { Context } from "hono";
import type { AppEnv } from "./app-env.ts";
import { AppError } from "./errors.ts";

/**
 * Fetches a static file of the Worker. @param path from the root of the assets.
 *
 * @throws AppError `not_found` if the file does not exist.
 */
export async function fetchAsset(c: Context<AppEnv>, path: string): Promise<Response> {
  const asset = await c.env.ASSETS.fetch(new URL(path, c.req.url));
  if (asset.ok) return asset;
  await asset.body?.cancel();
  throw new AppError("not_found");
}
