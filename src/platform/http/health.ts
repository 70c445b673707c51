import { z } from "zod";
import { version } from "../../../package.json";
import { raiseAlert } from "../alerts.ts";
import { withDeadline } from "../data/database.ts";
import type { Deps } from "../deps.ts";
import { describeError } from "../log.ts";

/** How long a binding may take to respond, in milliseconds. */
const PROBE_DEADLINE_MS = 3_000;

const state = z.enum(["up", "down"]).meta({ id: "BindingState" });
/** State of all bindings, as in the response. */
export const health = z
  .object({
    version: z.string(),
    version_id: z.string().nullable().meta({ description: "The deployed version's id at Cloudflare." }),
    checked_at: z.iso.datetime(),
    bindings: z.object({
      database: state,
      search_database: state,
      kv: state,
      bucket: state,
      otp_queue: state,
      task_queue: state,
      search_queue: state,
      rate_limiter: state,
      user_rate_limiter: state,
      email: state,
    }),
  })
  .meta({ id: "Health" });
export type Health = z.infer<typeof health>;

/**
 * Probes all bindings that can be probed without side effects; never throws.
 *
 * @param versionId the version's id at Cloudflare, null if it is unknown.
 */
export async function probeHealth(deps: Deps, versionId: string | null): Promise<Health> {
  const up = async (name: string, work: () => Promise<unknown>): Promise<"up" | "down"> => {
    try {
      await withDeadline(work(), PROBE_DEADLINE_MS);
      return "up";
    } catch (error) {
      raiseAlert(deps, "binding_down", { binding: name, reason: describeError(error) });
      return "down";
    }
  };
  const [database, search_database, kv, bucket] = await Promise.all([
    up("database", () => deps.db.$client.prepare("select 1").all()),
    up("search_database", () => deps.searchDb.$client.prepare("select 1").all()),
    up("kv", () => deps.kv.get("health")),
    up("bucket", () => deps.bucket.head("health")),
  ]);
  // These bindings cannot be probed without side effects, so only their presence is checked.
  const isBound = (binding: unknown) => (binding ? ("up" as const) : ("down" as const));
  const otp_queue = isBound(deps.queues.otp);
  const task_queue = isBound(deps.queues.tasks);
  const search_queue = isBound(deps.queues.search);
  const rate_limiter = isBound(deps.rateLimiter);
  const user_rate_limiter = isBound(deps.userRateLimiter);
  const email = isBound(deps.email);
  const stores = { database, search_database, kv, bucket };
  const bindings = { ...stores, otp_queue, task_queue, search_queue, rate_limiter, user_rate_limiter, email };
  return { version, version_id: versionId, checked_at: new Date(deps.now()).toISOString(), bindings };
}
