import type { Deps } from "../deps.ts";
import { failureSchema } from "../openapi/failures.ts";
import { EVERY_ROUTE, envelopeOf } from "../openapi/operation.ts";
import { pollUntil } from "../poll.ts";
import { AppError } from "./errors.ts";
import { type Health, health, probeHealth } from "./health.ts";
import { publicRawEndpoint, successBody } from "./raw-endpoint.ts";

/** How long a result is reused, in milliseconds, so that a flood of health checks does not load the stores. */
const CACHE_MS = 10_000;
/** How long a request waits for a probe of another request, in milliseconds. */
const SHARED_PROBE_DEADLINE_MS = 4_000;

interface Known {
  /** The newest result, and when it expires. */
  latest?: { until: number; health: Health };
  /** When the running probe began; undefined if none runs. */
  probingSince?: number | undefined;
}

const knownHealth = new WeakMap<object, Known>();

/** Returns the state of all bindings, at most 10 seconds old. Concurrent requests in one isolate share a probe. */
async function currentHealth(deps: Deps, key: object, versionId: string | null): Promise<Health> {
  const known: Known = knownHealth.get(key) ?? {};
  knownHealth.set(key, known);
  const isFresh = () => known.latest !== undefined && known.latest.until > deps.now();
  const isProbing = () =>
    known.probingSince !== undefined && deps.now() - known.probingSince < SHARED_PROBE_DEADLINE_MS;
  if (!isFresh() && isProbing()) {
    await pollUntil(() => isFresh() || !isProbing(), SHARED_PROBE_DEADLINE_MS);
  }
  if (known.latest && isFresh()) return known.latest.health;
  const startedAt = deps.now();
  known.probingSince = startedAt;
  const health = await probeHealth(deps, versionId);
  known.latest = { until: deps.now() + CACHE_MS, health };
  if (known.probingSince === startedAt) known.probingSince = undefined;
  return health;
}

/** Reports which bindings respond; 503 if any does not. */
export const getHealth = publicRawEndpoint(
  {
    method: "get",
    path: "/api/health",
    home: "every",
    describe: () => ({
      operationId: "getHealth",
      tag: "Platform",
      summary: "Check the service's health",
      description: "Reports the state of each binding, at most 10 seconds old.",
      responses: {
        200: {
          description: "All bindings respond.",
          content: { "application/json": envelopeOf(health) },
        },
        503: {
          description: "`service_unavailable`: At least one binding does not respond; `data` shows which.",
          headers: ["Retry-After"],
          codes: ["service_unavailable"],
          content: { "application/json": failureSchema.extend({ data: health.optional() }).meta({ base: "Failure" }) },
        },
      },
      errors: EVERY_ROUTE,
    }),
  },
  async (c) => {
    const versionId = c.env.CF_VERSION_METADATA?.id ?? null;
    const data = await currentHealth(c.get("deps"), c.env.DB ?? c.env, versionId);
    const isUp = Object.values(data.bindings).every((each) => each === "up");
    if (!isUp) throw new AppError("service_unavailable", { data, retryAfterSeconds: 10, reason: "a binding is down" });
    return c.json(successBody(c, { en: "All bindings respond.", ne: "सबै बाइन्डिङले जवाफ दिइरहेका छन्।" }, data));
  },
);
