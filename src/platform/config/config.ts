import { base64url } from "jose";
import { z } from "zod";
import { areDistinct, json, list, optional } from "./settings.ts";

/**
 * Default and maximum time that an event waits to be published with others, in milliseconds; far less than its lease.
 */
const EVENT_GATHER_MS = 250;
const MAX_EVENT_GATHER_MS = 5_000;

/** A 32-byte secret with fewer distinct bytes was not generated at random. */
const MIN_DISTINCT_BYTES = 12;

/** Unpadded base64url (RFC 4648 section 5) of bytes that look random; rejects passphrases. */
const randomBytes = (isLongEnough: (length: number) => boolean, message: string) =>
  z.string().transform((text, context) => {
    // Four characters encode three bytes, so a single leftover character is invalid.
    const isBase64url = /^[A-Za-z0-9_-]+$/.test(text) && text.length % 4 !== 1;
    const bytes = isBase64url ? base64url.decode(text) : new Uint8Array();
    if (isLongEnough(bytes.length) && new Set(bytes).size >= MIN_DISTINCT_BYTES) return bytes;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });

/** A secret of at least 256 bits (RFC 8725 section 3.5). */
const secret = randomBytes((length) => length >= 32, "must be at least 32 random bytes in base64url");
/** Public or private part of an Ed25519 key (RFC 8037 section 2), kept as text. */
const keyPart = z
  .string()
  .refine(
    (text) => randomBytes((length) => length === 32, "").safeParse(text).success,
    "must be the 32 bytes of an Ed25519 key in base64url",
  );

const keyId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);

/** Ed25519 keys of access tokens. The first one signs and needs `d`; the others only verify. */
const accessTokenKeys = z
  .array(
    z.object({
      kid: keyId,
      kty: z.literal("OKP"),
      crv: z.literal("Ed25519"),
      x: keyPart,
      d: keyPart.optional(),
    }),
  )
  .min(1)
  .refine((keys) => keys[0]?.d !== undefined, "the first key must include its private part d")
  .refine((keys) => areDistinct(keys, (key) => key.kid), "every kid must be unique");

const tokenSecrets = z
  .array(z.object({ kid: keyId, secret }))
  .min(1)
  .refine((secrets) => areDistinct(secrets, (entry) => entry.kid), "every kid must be unique");

/** Schemes that cannot be an app shell's own. */
const NO_APP_SCHEMES = ["ws", "wss", "ftp", "file", "blob", "data", "about", "javascript"];

/**
 * An origin as a browser writes it into `Origin`: for http and https as the URL standard serialises it; for an app
 * shell (`capacitor://localhost`, `ionic://localhost`, `tauri://localhost`) its scheme and host, although the URL
 * standard calls the origin of such a URL `null`.
 */
const origin = z.string().refine((text) => {
  if (/^https?:/.test(text)) return !text.includes("*") && URL.canParse(text) && new URL(text).origin === text;
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\/[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/.exec(text) ?? [];
  return scheme !== undefined && !NO_APP_SCHEMES.includes(scheme);
}, "must be an origin");

/** Settings of the service as a whole; other areas add theirs. */
export const sharedSettings = {
  ENVIRONMENT: z.string().default("production"),
  // Only characters of GSM 03.38, so that an English text message needs no other alphabet.
  APP_NAME: z.string().regex(/^[A-Za-z0-9 .&-]{1,20}$/),
  ISSUER: z.url(),
  AUDIENCE: z.string().min(1),
  CORS_ORIGINS: list.pipe(z.array(origin)),
  ACCESS_TOKEN_KEYS: json(accessTokenKeys),
  TOKEN_SECRETS: json(tokenSecrets),
  DATA_SECRETS: json(tokenSecrets),
  LOOKUP_SECRET: secret,
  EVENT_GATHER_MS: optional(z.coerce.number().int().min(0).max(MAX_EVENT_GATHER_MS)),
};

export type AccessTokenKey = z.infer<typeof accessTokenKeys>[number];
export type TokenSecret = z.infer<typeof tokenSecrets>[number];

/** The configuration. Other areas declare what only they use. */
export interface Config {
  /** Anything but `development` is treated as production. */
  isDevelopment: boolean;
  appName: string;
  issuer: string;
  audience: string;
  corsOrigins: string[];
  accessTokenKeys: AccessTokenKey[];
  tokenSecrets: TokenSecret[];
  /** Keys for long-lived encrypted data: the first encrypts, all decrypt. Remove one only when no row needs it. */
  dataSecrets: TokenSecret[];
  lookupSecret: Uint8Array;
  /** How long an event waits to be published with others of the isolate, in milliseconds; 0 publishes each at once. */
  eventGatherMs: number;
  /** The only origins that the Worker calls (ASVS 13.2.4). */
  egressOrigins: ReadonlySet<string>;
}

/** Lists missing, malformed and weak settings by name, never their values. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

type SharedSettings = z.infer<z.ZodObject<typeof sharedSettings>>;

/** Returns the settings of the service as a whole. @throws ConfigError if production's issuer is not https. */
export function readSharedSettings(value: SharedSettings) {
  const isDevelopment = value.ENVIRONMENT === "development";
  if (!isDevelopment && !value.ISSUER.startsWith("https://")) throw new ConfigError("ISSUER: must be https");
  return {
    isDevelopment,
    appName: value.APP_NAME,
    issuer: value.ISSUER,
    audience: value.AUDIENCE,
    corsOrigins: value.CORS_ORIGINS,
    accessTokenKeys: value.ACCESS_TOKEN_KEYS,
    tokenSecrets: value.TOKEN_SECRETS,
    dataSecrets: value.DATA_SECRETS,
    lookupSecret: value.LOOKUP_SECRET,
    eventGatherMs: value.EVENT_GATHER_MS ?? EVENT_GATHER_MS,
  };
}
