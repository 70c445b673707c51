import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { withDeadline } from "../data/database.ts";
import type { Deps } from "../deps.ts";
import type { AppEnv } from "./app-env.ts";
import { AppError } from "./errors.ts";
import { type Health, health, probeHealth } from "./health.ts";
import { deferDescription, failureSchema, failures } from "./openapi.ts";

/** How long a result is given out again, in milliseconds: a flood of health checks costs the stores nothing. */
const KEPT_MS = 10_000;
/** How long a request waits for the probe of another, in milliseconds: its invocation may have been cut off. */
const SHARED_PROBE_DEADLINE_MS = 4_000;
const kept = new WeakMap<object, { until: number; health: Health }>();
const running = new WeakMap<object, Promise<Health>>();

/** The state of every binding, at most 10 seconds old; one probe runs at a time in an isolate, for all who ask. */
async function currentHealth(deps: Deps, key: object): Promise<Health> {
  const known = kept.get(key);
  if (known && known.until > deps.now()) return known.health;
  const others = running.get(key);
  if (others) {
    try {
      return await withDeadline(others, SHARED_PROBE_DEADLINE_MS);
    } catch {
      if (running.get(key) !== others) return currentHealth(deps, key);
    }
  }
  const own = probeHealth(deps);
  running.set(key, own);
  try {
    const health = await own;
    kept.set(key, { until: deps.now() + KEPT_MS, health });
    return health;
  } finally {
    if (running.get(key) === own) running.delete(key);
  }
}

/** Says which bindings answer; 503 when one does not. */
export function mountHealth(app: OpenAPIHono<AppEnv>): void {
  deferDescription(app, () => ({
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
      ...failures(["https_required", "internal_error"]),
      503: {
        description: "A binding is down; `data` says which.",
        content: {
          "application/json": { schema: failureSchema(["service_unavailable"]).extend({ data: health.optional() }) },
        },
      },
    },
  }));
  app.get("/api/health", async (c) => {
    const data = await currentHealth(c.get("deps"), c.env.DB ?? c.env);
    const isUp = Object.values(data.bindings).every((each) => each === "up");
    if (!isUp) throw new AppError("service_unavailable", { data, retryAfterSeconds: 10, reason: "a binding is down" });
    return c.json({ success: true, message: "Everything answers.", data });
  });
}
