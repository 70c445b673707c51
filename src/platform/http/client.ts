import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { expandIPv6 } from "hono/utils/ipaddr";
import { fieldError } from "./errors.ts";
import { type Locale, languageOf } from "./locale.ts";
import { salvage } from "./text.ts";

/** The client of a request, as reported by Cloudflare and the request's headers. */
export interface Client {
  ip: string;
  /** IPv4 /24 or IPv6 /64. */
  network: string;
  /** At most 255 characters, without control characters; null if absent or blank. */
  userAgent: string | null;
  /** The caller's preferred language among those of the API. */
  locale: Locale;
  /** `Idempotency-Key` as sent. */
  idempotencyKey: string | undefined;
}

/**
 * 16 to 255 visible ASCII characters. Shorter keys are not random enough to identify one call. They are usually
 * mistakes, such as `null`, `undefined` and `[object Object]`, which would give different calls the same key.
 */
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{16,255}$/;
/** The value of a UUID that was never set, such as `Guid.Empty`. */
const UNSET_UUID = /^[0-]+$/;

/** The client's IP address as reported by Cloudflare; 127.0.0.1 if it reports none; `unknown` if malformed. */
export function readIp(c: Context): string {
  // Cloudflare sets this header. X-Forwarded-For and similar headers can be forged by the caller (ASVS 4.1.3).
  const given = c.req.header("cf-connecting-ip") ?? "127.0.0.1";
  return given.length <= MAX_IP_LENGTH && /^[\da-f]*[.:][\da-f.:]*$/i.test(given) ? given : "unknown";
}

/**
 * Reads the client from the request. @throws AppError `validation_error` if the route honours `Idempotency-Key` and the
 * key is malformed.
 */
export function readClient(c: Context, isIdempotent: boolean): Client {
  const ip = readIp(c);
  const idempotencyKey = isIdempotent ? c.req.header("idempotency-key") : undefined;
  if (idempotencyKey !== undefined && (!IDEMPOTENCY_KEY.test(idempotencyKey) || UNSET_UUID.test(idempotencyKey))) {
    throw fieldError("Idempotency-Key", "not_idempotency_key");
  }
  return {
    ip,
    network: networkOf(ip),
    userAgent: salvage(c.req.header("user-agent"), 255),
    locale: readLocale(c),
    idempotencyKey,
  };
}

/**
 * The language of the API that `Accept-Language` prefers; English if it names none of them (RFC 9110 section 12.5.4).
 */
export function readLocale(c: Context): Locale {
  return accepts(c, {
    header: "Accept-Language",
    supports: ["en", "ne"],
    default: "en",
    match: (preferences, { default: fallback }) => {
      const [best] = preferences
        .map(({ type, q }) => ({ language: languageOf(type), q }))
        .filter(({ language, q }) => q > 0 && (language === "en" || language === "ne"))
        .sort((a, b) => b.q - a.q);
      return best?.language ?? fallback;
    },
  }) as Locale;
}

/**
 * Whether `Accept` prefers HTML to JSON (RFC 9110 section 12.5.1), as a browser's navigation does: HTML has the higher
 * weight, or the same weight and a more specific media range. False if the header is absent.
 */
export function prefersHtml(c: Context): boolean {
  const chosen = accepts(c, {
    header: "Accept",
    supports: ["text/html", "application/json"],
    default: "application/json",
    match: (ranges, { default: fallback }) => {
      const [html, json] = [weigh(ranges, "text", "html"), weigh(ranges, "application", "json")];
      const isPreferred = html.q > json.q || (html.q > 0 && html.q === json.q && html.rank < json.rank);
      return isPreferred ? "text/html" : fallback;
    },
  });
  return chosen === "text/html";
}

/** Weight of the most specific range that covers a media type, and the rank of that range; 0 is the type itself. */
function weigh(ranges: readonly { type: string; q: number }[], type: string, subtype: string) {
  const forms = [[`${type}/${subtype}`], [`${type}/*`], ["*/*", "*"]];
  const isIn = (form: readonly string[] | undefined, range: { type: string }) =>
    form?.includes(range.type.toLowerCase()) === true;
  const rank = forms.findIndex((form) => ranges.some((range) => isIn(form, range)));
  return { q: ranges.find((range) => isIn(forms[rank], range))?.q ?? 0, rank };
}

/** Length of the longest address text: IPv6 with an embedded IPv4 address (RFC 4291 section 2.2). */
const MAX_IP_LENGTH = 45;
/**
 * Leading groups of IPv6 addresses with an embedded IPv4 address: mapped (RFC 4291 section 2.5.5.2) and NAT64 (RFC
 * 6052).
 */
const EMBEDDED_IPV4_PREFIXES = ["0000:0000:0000:0000:0000:ffff", "0064:ff9b:0000:0000:0000:0000"];

/**
 * The network by which limits are counted: IPv4 /24 or IPv6 /64; `unknown` for anything else. An IPv6 address with an
 * embedded IPv4 address counts as IPv4.
 */
export function networkOf(ip: string): string {
  if (ip.length > MAX_IP_LENGTH) return "unknown";
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(ip)) return `${ip.slice(0, ip.lastIndexOf("."))}.0/24`;
  if (!ip.includes(":")) return "unknown";
  const groups = expandIPv6(ip.toLowerCase()).split(":");
  if (EMBEDDED_IPV4_PREFIXES.includes(groups.slice(0, 6).join(":"))) {
    const [high = 0, low = 0] = groups.slice(6).map((group) => Number.parseInt(group, 16));
    return `${high >> 8}.${high & 255}.${low >> 8}.0/24`;
  }
  return `${groups.slice(0, 4).join(":")}::/64`;
}

/**
 * The /56 and the /48 that contain an IPv6 /64, since one customer may hold either; none for IPv4. @param network as
 * returned by `networkOf`
 */
export function widerNetworksOf(network: string): string[] {
  if (!network.endsWith("::/64")) return [];
  const [first, second, third, fourth = ""] = network.slice(0, -"::/64".length).split(":");
  const site = `${first}:${second}:${third}`;
  return [`${site}:${fourth.slice(0, 2)}00::/56`, `${site}::/48`];
}

/** Origin of a request URL, which is absolute and http or https: it ends at the first slash after the scheme. */
export function originOf(url: string): string {
  return url.slice(0, url.indexOf("/", "https://".length));
}
