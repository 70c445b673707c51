import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "../../platform/http/app-env.ts";
import { countRefusal } from "./refusal-counts.store.ts";

/** Counts refused and failed requests for the staff's figures. */
export const countRefusals: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  countRefusal(c.get("deps"), c.res.status);
};
