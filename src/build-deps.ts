import { v7 as uuidv7 } from "uuid";
import { buildKeyring, parseConfig } from "./config.ts";
import type { Config } from "./platform/config/config.ts";
import type { Keyring } from "./platform/config/keyring.ts";
import { type RandomBytes, randomId } from "./platform/crypto.ts";
import { drizzleOn } from "./platform/data/drizzle.ts";
import type { Deps } from "./platform/deps.ts";
import { jsonLog } from "./platform/log.ts";
import { FAN_OUT } from "./tasks/fan-out.ts";
import { keepsPayload } from "./tasks/kept-payloads.ts";

/** Part of the execution context that every kind of invocation has. */
type Context = Pick<ExecutionContext, "waitUntil">;

let loaded: { env: Env; inputs: unknown[]; config: Config; keyring: Keyring } | undefined;

/**
 * Loads configuration and keys once per isolate, and again only if a variable or secret changes. Invocations that start
 * during the first load do not wait for it but load as well; `pollUntil` says why.
 */
async function loadConfig(env: Env): Promise<{ config: Config; keyring: Keyring }> {
  if (loaded?.env === env) return loaded;
  const inputs = [env.EMAIL === undefined, ...Object.values(env).filter((value) => typeof value === "string")];
  const same = loaded?.inputs.length === inputs.length && loaded.inputs.every((input, i) => input === inputs[i]);
  if (loaded && same) return loaded;
  const config = parseConfig({ ...env });
  const keyring = await buildKeyring(config);
  loaded = { env, inputs, config, keyring };
  return loaded;
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
    fanOut: FAN_OUT,
    keepsPayload,
    log: jsonLog(now, { request_id: requestId }),
    queries: { used: 0 },
    afterResponse: (work) => context.waitUntil(work),
  };
}
