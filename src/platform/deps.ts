import { v7 as uuidv7 } from "uuid";
import { type Config, parseConfig } from "./config/config.ts";
import { buildKeyring, type Keyring } from "./config/keyring.ts";
import { type RandomBytes, randomId } from "./crypto.ts";
import { type Database, drizzleOn } from "./data/drizzle.ts";
import type { QueryCount } from "./data/query-count.ts";
import { jsonLog, type Log } from "./log.ts";

/** Everything outside the process that a function may touch; narrowed by `Pick` to what it does touch. */
export interface Deps {
  config: Config;
  keyring: Keyring;
  db: Database;
  /** What users are searched by: a projection, in a database of its own. */
  searchDb: Database;
  kv: KVNamespace;
  bucket: R2Bucket;
  /** Producers by the name that outbox rows carry. */
  queues: Readonly<Record<QueueName, Queue>>;
  rateLimiter: RateLimit;
  /** Counts the writes of signed-in users; same kind. */
  userRateLimiter: RateLimit;
  /** Cloudflare's own mail service; absent where it is not bound. */
  email: SendEmail | undefined;
  /** The network. Only `callOutside` uses it. */
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Milliseconds since the epoch. */
  now: () => number;
  randomBytes: RandomBytes;
  /** A new UUIDv7 (RFC 9562), which sorts by time. */
  newId: () => string;
  /** 128 random bits of this invocation's own, which mark its rows inside a batch; never anything a caller sends. */
  invocationId: string;
  log: Log;
  /** Shared by everything that the invocation does. */
  queries: QueryCount;
  /** Work that may be cut off: nothing that must happen is only here. */
  afterResponse: (work: Promise<unknown>) => void;
}

export type QueueName = "otp" | "tasks" | "search";

/** What the platform hands to every kind of invocation. */
type Context = Pick<ExecutionContext, "waitUntil">;

let settled: { env: Env; inputs: unknown[]; value: Promise<{ config: Config; keyring: Keyring }> } | undefined;

/** Parses and imports once per isolate; again only when a variable or secret is another one. */
function settle(env: Env): Promise<{ config: Config; keyring: Keyring }> {
  if (settled?.env === env) return settled.value;
  const inputs = [env.EMAIL === undefined, ...Object.values(env).filter((value) => typeof value === "string")];
  const same = settled?.inputs.length === inputs.length && settled.inputs.every((input, i) => input === inputs[i]);
  if (settled && same) return settled.value;
  const value = Promise.resolve().then(async () => {
    const config = parseConfig({ ...env });
    return { config, keyring: await buildKeyring(config) };
  });
  settled = { env, inputs, value };
  return value;
}

/**
 * Builds the dependencies of one invocation.
 *
 * @throws ConfigError when the configuration is not fit to serve with.
 */
export async function buildDeps(env: Env, context: Context, requestId: string): Promise<Deps> {
  const { config, keyring } = await settle(env);
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
