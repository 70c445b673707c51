import { v7 as uuidv7 } from "uuid";
import { type Config, parseConfig } from "./config/config.ts";
import { buildKeyring, type Keyring } from "./config/keyring.ts";
import { type RandomBytes, randomId } from "./crypto.ts";
import { type Database, drizzleOn } from "./data/drizzle.ts";
import type { QueryCount } from "./data/query-count.ts";
import { jsonLog, type Log } from "./log.ts";

/** External dependencies of a function; each function narrows them with `Pick` to those that it uses. */
export interface Deps {
  config: Config;
  keyring: Keyring;
  db: Database;
  /** The search database, a projection of `users`. */
  searchDb: Database;
  kv: KVNamespace;
  bucket: R2Bucket;
  /** Queue producers by the name used in outbox rows. */
  queues: Readonly<Record<QueueName, Queue>>;
  rateLimiter: RateLimit;
  /** Counts the writes of signed-in users. */
  userRateLimiter: RateLimit;
  /** Cloudflare Email Service; undefined if it is not bound. */
  email: SendEmail | undefined;
  /** Network access; used only by `callOutside`. */
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Milliseconds since the epoch. */
  now: () => number;
  randomBytes: RandomBytes;
  /** A new UUIDv7 (RFC 9562), which sorts by time. */
  newId: () => string;
  /** 128 random bits that identify this invocation and mark the rows that it writes; never derived from the request. */
  invocationId: string;
  log: Log;
  /** Number of D1 queries, shared by all work of the invocation. */
  queries: QueryCount;
  /** Runs work after the response. It may be cut off, so nothing essential may depend on it alone. */
  afterResponse: (work: Promise<unknown>) => void;
}

export type QueueName = "otp" | "tasks" | "search";

/** Part of the execution context that every kind of invocation has. */
type Context = Pick<ExecutionContext, "waitUntil">;

let loaded: { env: Env; inputs: unknown[]; value: Promise<{ config: Config; keyring: Keyring }> } | undefined;

/** Loads configuration and keys once per isolate, and again only if a variable or secret changes. */
function loadConfig(env: Env): Promise<{ config: Config; keyring: Keyring }> {
  if (loaded?.env === env) return loaded.value;
  const inputs = [env.EMAIL === undefined, ...Object.values(env).filter((value) => typeof value === "string")];
  const same = loaded?.inputs.length === inputs.length && loaded.inputs.every((input, i) => input === inputs[i]);
  if (loaded && same) return loaded.value;
  const value = Promise.resolve().then(async () => {
    const config = parseConfig({ ...env });
    return { config, keyring: await buildKeyring(config) };
  });
  loaded = { env, inputs, value };
  return value;
}

/**
 * Builds the dependencies of one invocation.
 *
 * @throws ConfigError if the configuration is invalid.
 */
export async function buildDeps(env: Env, context: Context, requestId: string): Promise<Deps> {
  const { config, keyring } = await loadConfig(env);
  const now = () => Date.now();
  const randomBytes: RandomBytes = (count) => crypto.getRandomValues(new Uint8Array(count));
  return {
    config,
    keyring,
    db: drizzleOn(env.DB),
    searchDb: drizzleOn(env.SEARCH_DB),
    kv: env.KV,
    bucket: env.KYC_BUCKET,
    queues: { otp: env.OTP_QUEUE, tasks: env.TASK_QUEUE, search: env.SEARCH_QUEUE },
    rateLimiter: env.RATE_LIMITER,
    userRateLimiter: env.USER_RATE_LIMITER,
    email: env.EMAIL,
    fetch: (url, init) => fetch(url, init),
    now,
    randomBytes,
    newId: () => uuidv7({ msecs: now(), random: randomBytes(16) }),
    invocationId: randomId(randomBytes),
    log: jsonLog(now, { request_id: requestId }),
    queries: { used: 0 },
    afterResponse: (work) => context.waitUntil(work),
  };
}
