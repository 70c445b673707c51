import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { AppEnv } from "../../platform/http/app-env.ts";
import { originOf } from "../../platform/http/client.ts";
import { isCalledFromNetwork } from "./called-host.ts";
import { FLOW_TTL_SECONDS } from "./social-flow.service.ts";
import type { ProviderName } from "./social-provider.ts";

/** Maximum number of concurrent flows per provider in one browser, as in several tabs; one more drops the oldest. */
export const MAX_FLOWS = 5;
/** Maximum number of cookies that one response deletes, however many the caller sends. */
const MAX_DELETED = 20;
/**
 * Number of characters of the state in a cookie's name: 96 of its 256 random bits, so that each flow has its own name.
 */
const STATE_CHARACTERS = 16;

const PREFIX = { google: "google-flow-", apple: "apple-flow-" } as const;
/** Browsers send cookies with this prefix to this host only, and over https only (RFC 6265bis section 4.1.3.2). */
const HOST = "__Host-";

/**
 * Attributes of the cookie. Browsers refuse secure cookies over plain http, except on localhost, so the phone of a
 * developer gets a plain one. It can be `Lax`, because the stand-ins for the providers are on the same site.
 */
function attributesOf(c: Context<AppEnv>, provider: ProviderName) {
  const isPlain = isCalledFromNetwork(c.get("deps"), originOf(c.req.url));
  if (isPlain) return { path: "/", httpOnly: true, sameSite: "Lax" } as const;
  // Apple posts the callback cross-site; browsers send only SameSite=None cookies with such a request.
  const sameSite = provider === "apple" ? "None" : "Lax";
  return { prefix: "host", path: "/", secure: true, httpOnly: true, sameSite } as const;
}

const nameOf = (provider: ProviderName, state: string) => PREFIX[provider] + state.slice(0, STATE_CHARACTERS);

const prefixOf = (c: Context<AppEnv>) => ("prefix" in attributesOf(c, "google") ? HOST : "");

/** Sets a cookie for the flow. Cookies of flows in other tabs stay. */
export function addFlowCookie(c: Context<AppEnv>, provider: ProviderName, state: string, value: string): void {
  const options = attributesOf(c, provider);
  // Browsers send the oldest cookie first (RFC 6265 section 5.4).
  const surplus = listFlowCookies(c, provider).slice(0, 1 - MAX_FLOWS);
  for (const { name } of surplus.slice(0, MAX_DELETED)) deleteCookie(c, name, options);
  setCookie(c, nameOf(provider, state), value, { ...options, maxAge: FLOW_TTL_SECONDS });
}

/** The cookie of the flow with this state; undefined if the browser has none. */
export function readFlowCookie(
  c: Context<AppEnv>,
  provider: ProviderName,
  state: string | undefined,
): string | undefined {
  return state === undefined ? undefined : getCookie(c, prefixOf(c) + nameOf(provider, state));
}

/** The values of the newest flow cookies of the provider. */
export function readFlowCookies(c: Context<AppEnv>, provider: ProviderName): string[] {
  return listFlowCookies(c, provider)
    .slice(-MAX_FLOWS)
    .map(({ value }) => value);
}

/** The provider's flow cookies in the order sent, with their names without the prefix `__Host-`. */
function listFlowCookies(c: Context<AppEnv>, provider: ProviderName): { name: string; value: string }[] {
  const prefix = prefixOf(c);
  return Object.entries(getCookie(c))
    .filter(([name, value]) => name.startsWith(prefix + PREFIX[provider]) && value !== "")
    .map(([name, value]) => ({ name: name.slice(prefix.length), value }));
}
