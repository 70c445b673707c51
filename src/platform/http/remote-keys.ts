import { createRemoteJWKSet, customFetch, errors } from "jose";
import type { Deps } from "../deps.ts";
import { MINUTE_MS } from "../time.ts";
import { callOutside } from "./outbound.ts";

type KeyDeps = Pick<Deps, "config" | "fetch">;

/** Minimum time between two fetches of the keys because of an unknown key id, in milliseconds. */
const KEYS_COOLDOWN_MS = MINUTE_MS;
const KEYS_MAX_AGE_MS = 10 * MINUTE_MS;

/** Each key set by its URL, kept as long as the isolate and refreshed by jose. */
const keySets = new Map<string, ReturnType<typeof createRemoteJWKSet>>();
/** Dependencies of the latest invocation that needed each key set; the keys are fetched with them. */
const fetchers = new Map<string, KeyDeps>();

/**
 * The JSON Web Key Set (RFC 7517 section 5) at a URL, for jose's `jwtVerify`. It is fetched when it is first needed,
 * when it is older than 10 minutes, and for an unknown key id (at most once a minute). The URL's origin must be
 * configured, see `callOutside`.
 */
export function remoteKeys(deps: KeyDeps, url: string) {
  fetchers.set(url, deps);
  const known = keySets.get(url);
  if (known) return known;
  const keys = createRemoteJWKSet(new URL(url), {
    cooldownDuration: KEYS_COOLDOWN_MS,
    cacheMaxAge: KEYS_MAX_AGE_MS,
    [customFetch]: async () => {
      const latest = fetchers.get(url);
      if (!latest) throw new Error("the keys were requested outside an invocation");
      const result = await callOutside(latest, url, { method: "GET", headers: { accept: "application/json" } });
      if (!result.answered) throw new Error(`keys: ${result.reason}`);
      return new Response(result.text, { status: result.status });
    },
  });
  keySets.set(url, keys);
  return keys;
}

/** Whether verification failed because of the token; false if its keys could not be fetched. */
export function isAboutToken(error: unknown): error is errors.JOSEError {
  if (!(error instanceof errors.JOSEError)) return false;
  const isAboutKeys =
    error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.code === "ERR_JOSE_GENERIC";
  return !isAboutKeys;
}
