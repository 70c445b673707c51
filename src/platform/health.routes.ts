import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import type { AppEnv } from "./app-env.ts";
import { AppError } from "./errors.ts";
import { type Health, health, probeHealth } from "./health.ts";
import { describeLater, failureSchema, failures } from "./openapi.ts";

/** How long a result is given out again, in milliseconds: a flood of health checks costs the stores nothing. */
const KEPT_MS = 10_000;
/** Settled results only: a request may not wait for another one's calls. */
const kept = new WeakMap<object, { until: number; health: Health }>();

/** Says which bindings answer; 503 when one does not. */
export function mountHealth(app: OpenAPIHono<AppEnv>): void {
  describeLater(app, () => ({
    method: "get",
    path: "/api/health",
    tags: ["Platform"],
    summary: "State of each binding",
    responses: {
      200: {
        description: "Everything answers.",
        content: {
          "application/json": { schema: z.object({ success: z.literal(true), message: z.string(), data: health }) },
        },
      },
      ...failures(["internal_error"]),
      503: {
        description: "A binding is down; `data` says which.",
        content: {
          "application/json": { schema: failureSchema(["service_unavailable"]).extend({ data: health.optional() }) },
        },
      },
    },
  }));
  app.get("/api/health", async (c) => {
    const deps = c.get("deps");
    const key = c.env.DB ?? c.env;
    const known = kept.get(key);
    const data = known && known.until > deps.now() ? known.health : await probeHealth(deps);
    if (data !== known?.health) kept.set(key, { until: deps.now() + KEPT_MS, health: data });
    const isUp = Object.values(data.bindings).every((each) => each === "up");
    if (!isUp) throw new AppError("service_unavailable", { data, retryAfterSeconds: 10, reason: "a binding is down" });
    return c.json({ success: true, message: "Everything answers.", data });
  });
}
