import type { OpenAPIHono } from "@hono/zod-openapi";
import { sql } from "drizzle-orm";
import { z } from "zod";
import { version } from "../../package.json";
import type { AppEnv } from "./app-env.ts";
import { withDeadline } from "./database.ts";
import type { Deps } from "./deps.ts";
import { failureSchema, failures } from "./endpoint.ts";
import { AppError } from "./errors.ts";
import { describeError } from "./log.ts";

/** How long a result is given out again, in milliseconds: a flood of health checks costs the stores nothing. */
const KEPT_MS = 10_000;
const PROBE_DEADLINE_MS = 3_000;

const state = z.enum(["up", "down"]);
const health = z.object({
  version: z.string(),
  checked_at: z.iso.datetime(),
  bindings: z.object({
    database: state,
    kv: state,
    bucket: state,
    otp_queue: state,
    rate_limiter: state,
    email: state,
  }),
});
type Health = z.infer<typeof health>;

/** Settled results only: a request may not wait for another one's calls. */
const kept = new WeakMap<object, { until: number; health: Health }>();

async function probe(deps: Deps): Promise<Health> {
  const up = async (name: string, work: () => Promise<unknown>): Promise<"up" | "down"> => {
    try {
      await withDeadline(work(), PROBE_DEADLINE_MS);
      return "up";
    } catch (error) {
      deps.log.error("binding_down", { binding: name, reason: describeError(error) });
      return "down";
    }
  };
  const [database, kv, bucket] = await Promise.all([
    up("database", () => deps.db.select({ one: sql`1` }).from(sql`(select 1)`)),
    up("kv", () => deps.kv.get("health")),
    up("bucket", () => deps.bucket.head("health")),
  ]);
  // These have nothing to ask without an effect: they are up where they are bound.
  const isBound = (binding: unknown) => (binding ? ("up" as const) : ("down" as const));
  const otp_queue = isBound(deps.queues.otp);
  const rate_limiter = isBound(deps.rateLimiter);
  const email = isBound(deps.email);
  const bindings = { database, kv, bucket, otp_queue, rate_limiter, email };
  return { version, checked_at: new Date(deps.now()).toISOString(), bindings };
}

/** Says which bindings answer; 503 when one does not. */
export function mountHealth(app: OpenAPIHono<AppEnv>): void {
  app.openAPIRegistry.registerPath({
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
  });
  app.get("/api/health", async (c) => {
    const deps = c.get("deps");
    const key = c.env.DB ?? c.env;
    const known = kept.get(key);
    const data = known && known.until > deps.now() ? known.health : await probe(deps);
    if (data !== known?.health) kept.set(key, { until: deps.now() + KEPT_MS, health: data });
    const isUp = Object.values(data.bindings).every((each) => each === "up");
    if (!isUp) throw new AppError("service_unavailable", { data, retryAfterSeconds: 10, reason: "a binding is down" });
    return c.json({ success: true, message: "Everything answers.", data });
  });
}
