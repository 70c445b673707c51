import { base64url } from "jose";
import { isSupportedCountry } from "libphonenumber-js/max";
import { z } from "zod";
import {
  DEFAULT_EMAIL_DAILY_BUDGET,
  egressOriginsOf,
  findHalfConfigured,
  optional,
  type Providers,
  providerSettings,
  readProviders,
} from "./provider-settings.ts";
import {
  findHalfConfiguredSocial,
  readSocial,
  type Social,
  socialOriginsOf,
  socialSettings,
} from "./social-settings.ts";
import { findInsecureWebhook, type WebhookEndpoint, webhookSettings } from "./webhook-settings.ts";

/** Maximum combined length of APP_NAME and OTP_AUTOFILL_DOMAIN, so that the text of a code fits one SMS. */
export const MAX_NAME_AND_DOMAIN = 34;

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

function json<T extends z.ZodType>(schema: T) {
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: "custom", message: "must be JSON" });
        return z.NEVER;
      }
    })
    .pipe(schema);
}

const keyId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);

function distinct<T>(entries: T[], key: (entry: T) => string): boolean {
  return new Set(entries.map(key)).size === entries.length;
}

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
  .refine((keys) => distinct(keys, (key) => key.kid), "every kid must be unique");

const tokenSecrets = z
  .array(z.object({ kid: keyId, secret }))
  .min(1)
  .refine((secrets) => distinct(secrets, (entry) => entry.kid), "every kid must be unique");

/** Test accounts for app store reviewers: a fixed code, never sent by SMS, valid through the day `until` (UTC). */
const testIdentifiers = z
  .array(z.object({ identifier: z.string(), code: z.string().regex(/^\d{6}$/), until: z.iso.date() }))
  .max(5);

const list = (separator: string) =>
  z.string().transform((text) =>
    text
      .split(separator)
      .map((part) => part.trim())
      .filter(Boolean),
  );

/** Schemes that no app shell has as its own. */
const NO_APP_SCHEMES = ["http", "https", "ws", "wss", "ftp", "file", "blob", "data", "about", "javascript"];

/**
 * An origin as a browser writes it into `Origin`: for http and https as the URL standard serialises it; for an app shell
 * (`capacitor://localhost`, `ionic://localhost`, `tauri://localhost`) its scheme and host, although the URL standard calls
 * the origin of such a URL `null`.
 */
const origin = z.string().refine((text) => {
  if (/^https?:/.test(text)) return !text.includes("*") && URL.canParse(text) && new URL(text).origin === text;
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\/[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/.exec(text) ?? [];
  return scheme !== undefined && !NO_APP_SCHEMES.includes(scheme);
}, "must be an origin");

const settings = z.object({
  ENVIRONMENT: z.string().default("production"),
  // Only characters of GSM 03.38, so that an English SMS needs no other alphabet.
  APP_NAME: z.string().regex(/^[A-Za-z0-9 .&-]{1,20}$/),
  ISSUER: z.url(),
  AUDIENCE: z.string().min(1),
  OTP_AUTOFILL_DOMAIN: z.string().regex(/^[a-z0-9.-]+$/),
  CORS_ORIGINS: list(",").pipe(z.array(origin)),
  SMS_COUNTRIES: list(",").pipe(z.array(z.string().refine(isSupportedCountry, "must be ISO 3166-1 alpha-2")).min(1)),
  ACCESS_TOKEN_KEYS: json(accessTokenKeys),
  TOKEN_SECRETS: json(tokenSecrets),
  DATA_SECRETS: json(tokenSecrets),
  LOOKUP_SECRET: secret,
  TEST_IDENTIFIERS: json(testIdentifiers).default([]),
  EVENT_GATHER_MS: optional(z.coerce.number().int().min(0).max(MAX_EVENT_GATHER_MS)),
  ...providerSettings,
  ...socialSettings,
  ...webhookSettings,
});

/** Name of every variable and secret that the Worker reads. */
export const settingNames: readonly string[] = Object.keys(settings.shape).filter((name) => name !== "EMAIL");

export type AccessTokenKey = z.infer<typeof accessTokenKeys>[number];
export type TokenSecret = z.infer<typeof tokenSecrets>[number];

export interface Config {
  /** Anything but `development` is treated as production. */
  isDevelopment: boolean;
  appName: string;
  issuer: string;
  audience: string;
  otpAutofillDomain: string;
  corsOrigins: string[];
  smsCountries: string[];
  accessTokenKeys: AccessTokenKey[];
  tokenSecrets: TokenSecret[];
  /** Keys for long-lived encrypted data: the first encrypts, all decrypt. Remove one only when no row needs it. */
  dataSecrets: TokenSecret[];
  lookupSecret: Uint8Array;
  testIdentifiers: z.infer<typeof testIdentifiers>;
  /** How long an event waits to be published with others of the isolate, in milliseconds; 0 publishes each at once. */
  eventGatherMs: number;
  /** Maximum number of SMS provider calls per day in Asia/Kathmandu; 0 if no SMS provider is configured. */
  smsDailyBudget: number;
  /** Maximum number of codes sent by e-mail per day in Asia/Kathmandu. */
  emailDailyBudget: number;
  /** Message providers in production; development uses the local outbox. */
  providers: Providers;
  /** Sign-in with Google and Apple. */
  social: Social;
  /** Webhook endpoints that receive changes of users, also in development. */
  webhooks: WebhookEndpoint[];
  /** The only origins that the Worker calls (ASVS 13.2.4). */
  egressOrigins: ReadonlySet<string>;
}

/** Lists missing, malformed and weak settings by name, never their values. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Parses the Worker's variables and secrets.
 *
 * @throws ConfigError if one is missing, malformed or weak. There are no insecure defaults: no request is served in
 *   that case.
 */
export function parseConfig(env: Readonly<Record<string, unknown>>): Config {
  const parsed = settings.safeParse(env);
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
  }
  const value = parsed.data;
  const isDevelopment = value.ENVIRONMENT === "development";
  if (value.APP_NAME.length + value.OTP_AUTOFILL_DOMAIN.length > MAX_NAME_AND_DOMAIN) {
    throw new ConfigError(
      `APP_NAME, OTP_AUTOFILL_DOMAIN: must have at most ${MAX_NAME_AND_DOMAIN} characters together`,
    );
  }
  if (!isDevelopment && !value.ISSUER.startsWith("https://")) throw new ConfigError("ISSUER: must be https");
  const webhooks = value.WEBHOOKS ?? [];
  const unfit =
    findHalfConfigured(value, isDevelopment) ??
    findHalfConfiguredSocial(value, isDevelopment) ??
    findInsecureWebhook(webhooks, isDevelopment);
  if (unfit) throw new ConfigError(unfit);
  const providers = readProviders(value);
  const social = readSocial(value);
  return {
    isDevelopment,
    appName: value.APP_NAME,
    issuer: value.ISSUER,
    audience: value.AUDIENCE,
    otpAutofillDomain: value.OTP_AUTOFILL_DOMAIN,
    corsOrigins: value.CORS_ORIGINS,
    smsCountries: value.SMS_COUNTRIES,
    accessTokenKeys: value.ACCESS_TOKEN_KEYS,
    tokenSecrets: value.TOKEN_SECRETS,
    dataSecrets: value.DATA_SECRETS,
    lookupSecret: value.LOOKUP_SECRET,
    testIdentifiers: value.TEST_IDENTIFIERS,
    eventGatherMs: value.EVENT_GATHER_MS ?? EVENT_GATHER_MS,
    smsDailyBudget: value.SMS_DAILY_BUDGET ?? 0,
    emailDailyBudget: value.EMAIL_DAILY_BUDGET ?? DEFAULT_EMAIL_DAILY_BUDGET,
    providers,
    social,
    webhooks,
    egressOrigins: new Set([...egressOriginsOf(providers, webhooks), ...socialOriginsOf(social)]),
  };
}
