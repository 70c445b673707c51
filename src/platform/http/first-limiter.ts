import type { MiddlewareHandler } from "hono";
import { base64url } from "jose";
import { keyedHash } from "../crypto.ts";
import { withDeadline } from "../data/database.ts";
import type { Deps } from "../deps.ts";
import { describeError } from "../log.ts";
import type { AppEnv } from "./app-env.ts";
import { networkOf, readIp } from "./client.ts";
import { AppError, errorCatalogue } from "./errors.ts";
import { beyondLimit } from "./rate-limit.ts";

/** Groups of routes that share a bucket. A full bucket of one group never refuses a call of another. */
export type RateLimitGroup = "otp" | "social-start" | "social-token" | "sign-in-refusals";

/** Which bucket of the first limiter an endpoint's calls are counted in. */
export interface FirstLimit<Body> {
  group: RateLimitGroup;
  /**
   * Names whom or what the body is about: a bucket of its own within the network. Undefined, and a body that does not
   * fit, count in the network's common bucket, so that neighbours of one network cannot lock each other out.
   */
  subject?(deps: Deps, body: Body): Promise<string | undefined> | string | undefined;
}

/** Calls that one bucket takes, as the binding is configured in wrangler.toml. */
const POLICY = { count: 300, windowMs: 60_000 };
/** How long a call waits for the limiter before it passes, in milliseconds. */
const LIMITER_DEADLINE_MS = 500;

/** The key of a bucket; the subject stands in it as a keyed hash. */
async function bucketOf(
  deps: Pick<Deps, "keyring">,
  group: RateLimitGroup,
  network: string,
  subject: string | undefined,
): Promise<string> {
  if (subject === undefined) return `${group} ${network}`;
  return `${group} ${network} ${base64url.encode(await keyedHash(deps.keyring.lookup, "rate-limit", group, subject))}`;
}

/** @throws AppError `rate_limit_exceeded` when the bucket is full. */
async function countCall(deps: Deps, bucket: string): Promise<void> {
  if (!(await isWithinLimit(deps, deps.rateLimiter, bucket))) throw bucketFull();
}

/**
 * Reads a call and responds to it within the limits of its endpoint. Cloudflare's limiter counts per location and
 * approximately, so it decides nothing that costs money or guesses; when it fails, the exact counters in D1 decide alone.
 *
 * @param read parses the request, without asking a store.
 * @throws AppError `rate_limit_exceeded` when a bucket is full; what `read` and `respond` throw.
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

/** Counts each call of a route that is mounted without an endpoint declaration, in its network's bucket of the group. */
export function rateLimitByNetwork(group: RateLimitGroup): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const deps = c.get("deps");
    await countCall(deps, await bucketOf(deps, group, networkOf(readIp(c)), undefined));
    await next();
  };
}

/** Buckets of refusals that this isolate knows to be full, until when (epoch ms), by limiter. */
const fullUntil = new WeakMap<object, Map<string, number>>();
const MAX_REMEMBERED = 10_000;
/** Stands for a limiter that is not bound. */
const NONE = {};

/** @throws AppError `rate_limit_exceeded` while this isolate knows that the bucket of refusals is full. No I/O. */
function refuseWhileFull(deps: Deps, bucket: string): void {
  if ((rememberedBy(deps).get(bucket) ?? 0) > deps.now()) throw bucketFull();
}

/**
 * Counts a refusal after the response, for routes whose success uses up what the caller has proved: only their refusals
 * can be a flood. An outage of this service (5xx) is not counted. A full bucket refuses for a minute, without D1.
 */
function countRefusal(deps: Deps, bucket: string, error: unknown): void {
  if (!(error instanceof AppError) || errorCatalogue[error.code].status >= 500) return;
  const count = async () => {
    if (await isWithinLimit(deps, deps.rateLimiter, bucket)) return;
    const remembered = rememberedBy(deps);
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(bucket, deps.now() + POLICY.windowMs);
  };
  deps.afterResponse(count());
}

function rememberedBy({ rateLimiter }: Pick<Deps, "rateLimiter">): Map<string, number> {
  const limiter = rateLimiter ?? NONE;
  const known = fullUntil.get(limiter) ?? new Map<string, number>();
  fullUntil.set(limiter, known);
  return known;
}

/** Whether the limiter lets the key pass; a limiter that fails, is slow or is not bound does. */
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
  return beyondLimit("network", POLICY, POLICY.windowMs / 1000, "first limiter");
}
