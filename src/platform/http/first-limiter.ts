import type { Context, MiddlewareHandler } from "hono";
import { base64url } from "jose";
import { keyedHash } from "../crypto.ts";
import { withDeadline } from "../data/database.ts";
import type { Deps } from "../deps.ts";
import { describeError } from "../log.ts";
import { MINUTE_MS } from "../time.ts";
import type { AppEnv } from "./app-env.ts";
import { networkOf, readIp } from "./client.ts";
import { AppError, errorCatalogue } from "./errors.ts";
import { beyondLimit } from "./rate-limit.ts";

/** Groups of routes that share a bucket. Groups are counted separately. */
export type RateLimitGroup = "otp" | "social-start" | "social-token" | "passkey" | "sign-in-refusals" | "console";

/** The bucket of the first limiter in which an endpoint's calls are counted. */
export interface FirstLimit<Body> {
  group: RateLimitGroup;
  /**
   * The person or resource that the body concerns, which gets its own bucket within the network, so that users of one
   * network cannot lock each other out. If undefined, or if the body is invalid, the call counts in the network's
   * shared bucket.
   */
  subject?(deps: Deps, body: Body): Promise<string | undefined> | string | undefined;
}

/** Limit per bucket, as configured for the binding in wrangler.toml. */
export const callsPerMinute = { count: 300, windowMs: MINUTE_MS } as const;
/** How long a call waits for the limiter, in milliseconds; then it is allowed. */
const LIMITER_DEADLINE_MS = 500;

/** Key of a bucket. The subject is included as a keyed hash. */
async function bucketOf(
  deps: Pick<Deps, "keyring">,
  group: RateLimitGroup,
  network: string,
  subject: string | undefined,
): Promise<string> {
  if (subject === undefined) return `${group} ${network}`;
  return `${group} ${network} ${base64url.encode(await keyedHash(deps.keyring.lookup, "rate-limit", group, subject))}`;
}

/** Counts a call. @throws AppError `rate_limit_exceeded` if the bucket is full. */
async function countCall(deps: Deps, bucket: string): Promise<void> {
  if (!(await isWithinLimit(deps, deps.rateLimiter, bucket))) throw bucketFull();
}

/**
 * Reads a request and responds to it within the limits of its endpoint. Cloudflare's limiter counts approximately and
 * per location, so limits on costs and on guesses are enforced by exact counters in D1, also while the limiter fails.
 *
 * @param read parses the request without accessing a store.
 * @throws AppError `rate_limit_exceeded` if a bucket is full; also what `read` and `respond` throw.
 */
export async function withinLimits<Input extends { body: unknown }, Answer>(
  deps: Deps,
  network: string,
  { byNetwork, failures }: Record<"byNetwork" | "failures", FirstLimit<unknown> | undefined>,
  read: () => Promise<Input>,
  respond: (input: Input) => Promise<Answer>,
): Promise<Answer> {
  if (!byNetwork && !failures) return respond(await read());
  const outcome = await read().then(
    (input) => ({ input }),
    (error: unknown) => ({ error }),
  );
  const bucket = async ({ group, subject }: FirstLimit<unknown>) =>
    bucketOf(deps, group, network, "input" in outcome ? await subject?.(deps, outcome.input.body) : undefined);
  if (byNetwork) await countCall(deps, await bucket(byNetwork));
  const refusals = failures && (await bucket(failures));
  if (refusals !== undefined) refuseWhileFull(deps, refusals);
  try {
    if ("error" in outcome) throw outcome.error;
    return await respond(outcome.input);
  } catch (error) {
    if (refusals !== undefined) countRefusal(deps, refusals, error);
    throw error;
  }
}

/**
 * Counts a call in its network's bucket of the group, for a route that decides itself when to count.
 *
 * @throws AppError `rate_limit_exceeded` when the bucket is full.
 */
export async function countNetworkCall(c: Context<AppEnv>, group: RateLimitGroup): Promise<void> {
  const deps = c.get("deps");
  await countCall(deps, await bucketOf(deps, group, networkOf(readIp(c)), undefined));
}

/** Counts each call of a route in its network's bucket of the group, before the guard runs. */
export function rateLimitByNetwork(group: RateLimitGroup): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    await countNetworkCall(c, group);
    await next();
  };
}

/** Full buckets of refusals known to this isolate, with the time until which they are full (epoch ms), by limiter. */
const fullUntil = new WeakMap<object, Map<string, number>>();
const MAX_REMEMBERED = 10_000;
/** Key used if the limiter is not bound. */
const UNBOUND = {};

/**
 * Refuses the call while this isolate knows that the bucket of refusals is full. Performs no I/O. @throws AppError
 * `rate_limit_exceeded`.
 */
function refuseWhileFull(deps: Deps, bucket: string): void {
  if ((rememberedBy(deps).get(bucket) ?? 0) > deps.now()) throw bucketFull();
}

/**
 * Counts a refusal after the response. This suits routes on which each success consumes a credential, so that only
 * refusals can be a flood. Errors of this service (5xx) are not counted. A full bucket refuses further calls for a
 * minute without accessing D1.
 */
function countRefusal(deps: Deps, bucket: string, error: unknown): void {
  if (!(error instanceof AppError) || errorCatalogue[error.code].status >= 500) return;
  const count = async () => {
    if (await isWithinLimit(deps, deps.rateLimiter, bucket)) return;
    const remembered = rememberedBy(deps);
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(bucket, deps.now() + callsPerMinute.windowMs);
  };
  deps.afterResponse(count());
}

function rememberedBy({ rateLimiter }: Pick<Deps, "rateLimiter">): Map<string, number> {
  const limiter = rateLimiter ?? UNBOUND;
  const known = fullUntil.get(limiter) ?? new Map<string, number>();
  fullUntil.set(limiter, known);
  return known;
}

/** Whether the limiter allows the key; true if the limiter fails, is slow or is not bound. */
export async function isWithinLimit(
  { log }: Pick<Deps, "log">,
  rateLimiter: Deps["rateLimiter"],
  key: string,
): Promise<boolean> {
  try {
    return (await withDeadline(rateLimiter.limit({ key }), LIMITER_DEADLINE_MS)).success;
  } catch (error) {
    log.warn("rate_limiter_failed", { reason: describeError(error) });
    return true;
  }
}

function bucketFull(): AppError {
  return beyondLimit("network", callsPerMinute, callsPerMinute.windowMs / 1000, "first limiter");
}
