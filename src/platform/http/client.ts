import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { expandIPv6 } from "hono/utils/ipaddr";
import { fieldError } from "./errors.ts";
import type { Locale } from "./locale.ts";

/** Who is at the other end of the connection, as far as the platform vouches for it. */
export interface Client {
  ip: string;
  /** IPv4 /24 or IPv6 /64. */
  network: string;
  /** At most 255 characters. */
  userAgent: string | null;
  /** Of the languages we write in, the one the caller likes best. */
  locale: Locale;
  /** `Idempotency-Key` as sent. */
  idempotencyKey: string | undefined;
}

/** A key of 1 to 255 visible ASCII characters; the same as what Stripe and the IETF draft allow. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** The address that the platform saw; development may have none. */
export function readIp(c: Context): string {
  // Only the platform writes this header; X-Forwarded-For and its kin are the caller's own words (ASVS 4.1.3).
  return c.req.header("cf-connecting-ip") ?? "127.0.0.1";
}

/** @throws AppError `validation_error` when the route honours `Idempotency-Key` and the key is malformed. */
export function readClient(c: Context, isIdempotent: boolean): Client {
  const ip = readIp(c);
  const idempotencyKey = isIdempotent ? c.req.header("idempotency-key") : undefined;
  if (idempotencyKey !== undefined && !IDEMPOTENCY_KEY.test(idempotencyKey)) {
    throw fieldError("Idempotency-Key", "not_idempotency_key");
  }
  return {
    ip,
    network: networkOf(ip),
    userAgent: c.req.header("user-agent")?.slice(0, 255) ?? null,
    locale: readLocale(c),
    idempotencyKey,
  };
}

/** The language that `Accept-Language` likes best of those the API writes; English where it names none (RFC 9110 section 12.5.4). */
export function readLocale(c: Context): Locale {
  return accepts(c, {
    header: "Accept-Language",
    supports: ["en", "ne"],
    default: "en",
    match: (preferences, { default: fallback }) => {
      const [best] = preferences
        .map(({ type, q }) => ({ language: type.split(/[-_]/)[0]?.toLowerCase() ?? "", q }))
        .filter(({ language, q }) => q > 0 && (language === "en" || language === "ne"))
        .sort((a, b) => b.q - a.q);
      return best?.language ?? fallback;
    },
  }) as Locale;
}

/** An IPv6 address with an IPv4 one in it (RFC 4291 section 2.2). */
const MAX_IP_LENGTH = 45;
/** Leading groups of an IPv6 address that carries an IPv4 one: mapped (RFC 4291 section 2.5.5.2), NAT64 (RFC 6052). */
const IPV4_INSIDE = ["0000:0000:0000:0000:0000:ffff", "0064:ff9b:0000:0000:0000:0000"];

/** The network that limits are counted by: IPv4 /24, IPv6 /64. An address that carries an IPv4 one counts as that. */
export function networkOf(ip: string): string {
  if (ip.length > MAX_IP_LENGTH) return "unknown";
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(ip)) return `${ip.slice(0, ip.lastIndexOf("."))}.0/24`;
  if (!ip.includes(":")) return "unknown";
  const groups = expandIPv6(ip.toLowerCase()).split(":");
  if (IPV4_INSIDE.includes(groups.slice(0, 6).join(":"))) {
    const [high = 0, low = 0] = groups.slice(6).map((group) => Number.parseInt(group, 16));
    return `${high >> 8}.${high & 255}.${low >> 8}.0/24`;
  }
  return `${groups.slice(0, 4).join(":")}::/64`;
}

/** The /56 and the /48 around an IPv6 /64, which one customer may hold as a whole; none for IPv4. @param network of `networkOf` */
export function widerNetworksOf(network: string): string[] {
  if (!network.endsWith("::/64")) return [];
  const [first, second, third, fourth = ""] = network.slice(0, -"::/64".length).split(":");
  const site = `${first}:${second}:${third}`;
  return [`${site}:${fourth.slice(0, 2)}00::/56`, `${site}::/48`];
}
