import { z } from "zod";
import type { Keyring } from "../platform/config/keyring.ts";
import { importPrivateKey, type PrivateKey } from "../platform/config/private-key.ts";
import { json, optional, url } from "../platform/config/settings.ts";

declare module "../platform/config/config.ts" {
  interface Config {
    otpAutofillDomain: string;
    /** Hash of the Android app that reads codes by the SMS Retriever API; undefined without such an app. */
    smsAndroidAppHash: string | undefined;
    /** How people reach support, at the end of messages about an account's security; undefined if there is none. */
    supportContact: string | undefined;
    /** Maximum number of SMS provider calls per day in Asia/Kathmandu; 0 if no SMS provider is configured. */
    smsDailyBudget: number;
    /** Maximum number of codes sent by e-mail per day in Asia/Kathmandu. */
    emailDailyBudget: number;
    /** Message providers in production; development uses the local outbox. */
    providers: Providers;
  }
}

declare module "../platform/config/keyring.ts" {
  interface Keyring {
    /** Private key of the FCM service account; undefined if none is configured. */
    fcm: PrivateKey | undefined;
  }
}

/**
 * Maximum combined length of APP_NAME and OTP_AUTOFILL_DOMAIN, so that the text of a code fits one SMS, with or without
 * SMS_ANDROID_APP_HASH.
 */
export const MAX_NAME_AND_DOMAIN = 34;

const endpoint = url(/^https?$/);

/** Secret format of Standard Webhooks: `whsec_` and 24 to 64 bytes in base64. */
export const webhookSecret = z
  .string()
  .regex(
    /^whsec_(?:(?:[A-Za-z0-9+/]{4}){8,21}(?:[A-Za-z0-9+/]{2}==)?|(?:[A-Za-z0-9+/]{4}){8,20}[A-Za-z0-9+/]{3}=)$/,
    "must be whsec_ followed by 24 to 64 bytes in base64",
  );

const NOT_SERVICE_ACCOUNT = "must be the JSON key of a service account";
/** The fields of a Google service account's JSON key that are used here. */
const serviceAccount = json(
  z.object(
    {
      project_id: z.string().regex(/^[a-z0-9.:-]{1,64}$/),
      client_email: z.email(),
      private_key: z.string().startsWith("-----BEGIN PRIVATE KEY-----"),
      private_key_id: z.string().optional(),
      token_uri: url(/^https$/).default("https://oauth2.googleapis.com/token"),
    },
    NOT_SERVICE_ACCOUNT,
  ),
  NOT_SERVICE_ACCOUNT,
);

/** A positive integer of at most nine digits. */
const positiveInteger = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, "must be a positive integer")
  .transform(Number);

/** Settings of the message providers. Each provider is optional but must be complete. */
export const providerSettings = {
  OTP_AUTOFILL_DOMAIN: z.string().regex(/^[a-z0-9.-]+$/),
  /** The first 11 characters of a SHA-256 in base64 (Google, "Computing your app's hash string"). */
  SMS_ANDROID_APP_HASH: optional(z.string().regex(/^[A-Za-z0-9+/]{11}$/, "must be 11 characters of base64")),
  /** Only GSM-7 characters, so that an English SMS keeps its encoding. */
  SUPPORT_CONTACT: optional(
    z
      .string()
      .regex(/^[A-Za-z0-9 +.,:@/()-]{1,30}$/, "must be a phone number, address or URL of at most 30 characters"),
  ),
  SPARROW_TOKEN: optional(z.string()),
  /** Sender identity registered with Sparrow. */
  SPARROW_FROM: optional(z.string()),
  SPARROW_URL: optional(endpoint),
  SMS_FALLBACK_URL: optional(endpoint),
  SMS_FALLBACK_SECRET: optional(webhookSecret),
  /** Maximum number of SMS provider calls per day. */
  SMS_DAILY_BUDGET: optional(positiveInteger),
  EMAIL_FROM: optional(z.email()),
  /** Maximum number of codes sent by e-mail per day. */
  EMAIL_DAILY_BUDGET: optional(positiveInteger),
  /** The send_email binding of wrangler.toml. */
  EMAIL: z.unknown(),
  FCM_SERVICE_ACCOUNT: optional(serviceAccount),
};

type ProviderSettings = z.infer<z.ZodObject<typeof providerSettings>>;

/** Secrets of message providers, each with the variable that switches its provider on. */
export const providerSwitches = {
  SPARROW_TOKEN: "SPARROW_FROM",
  SMS_FALLBACK_SECRET: "SMS_FALLBACK_URL",
} as const satisfies Partial<Record<keyof ProviderSettings, keyof ProviderSettings>>;

/** Default of EMAIL_DAILY_BUDGET. */
const DEFAULT_EMAIL_DAILY_BUDGET = 10_000;

const SPARROW_URL = "https://api.sparrowsms.com/v2/sms/";
const FCM_ORIGIN = "https://fcm.googleapis.com";

export interface Providers {
  sparrow?: SparrowSettings;
  smsFallback?: SmsFallbackSettings;
  email?: EmailSettings;
  fcm?: FcmSettings;
}

export interface SparrowSettings {
  url: string;
  token: string;
  from: string;
}

export interface SmsFallbackSettings {
  url: string;
  secret: string;
}

export interface EmailSettings {
  from: string;
}

export interface FcmSettings {
  sendUrl: string;
  tokenUrl: string;
  clientEmail: string;
  /** PKCS #8, PEM. */
  privateKey: string;
  privateKeyId: string | undefined;
}

/** Describes the first missing or insecure setting of a provider; undefined if there is none. */
export function findHalfConfigured(value: ProviderSettings, isDevelopment: boolean): string | undefined {
  const needs = (name: keyof ProviderSettings, other: keyof ProviderSettings) =>
    value[other] !== undefined && value[name] === undefined ? `${name}: required with ${other}` : undefined;
  const insecure = (["SPARROW_URL", "SMS_FALLBACK_URL"] as const).find(
    (name) => !isDevelopment && value[name]?.startsWith("http:"),
  );
  return (
    needs("SPARROW_TOKEN", "SPARROW_FROM") ??
    needs("SPARROW_FROM", "SPARROW_URL") ??
    needs("SMS_FALLBACK_SECRET", "SMS_FALLBACK_URL") ??
    needs("SMS_DAILY_BUDGET", "SPARROW_FROM") ??
    needs("SMS_DAILY_BUDGET", "SMS_FALLBACK_URL") ??
    (isDevelopment && value.SMS_DAILY_BUDGET === undefined ? "SMS_DAILY_BUDGET: required" : undefined) ??
    needs("EMAIL", "EMAIL_FROM") ??
    (insecure && `${insecure}: must be https`)
  );
}

/** Returns the settings of message delivery. */
export function readProviderSettings(value: ProviderSettings) {
  return {
    otpAutofillDomain: value.OTP_AUTOFILL_DOMAIN,
    smsAndroidAppHash: value.SMS_ANDROID_APP_HASH,
    supportContact: value.SUPPORT_CONTACT,
    smsDailyBudget: value.SMS_DAILY_BUDGET ?? 0,
    emailDailyBudget: value.EMAIL_DAILY_BUDGET ?? DEFAULT_EMAIL_DAILY_BUDGET,
    providers: readProviders(value),
  };
}

function readProviders(value: ProviderSettings): Providers {
  const { SPARROW_TOKEN, SPARROW_FROM, SMS_FALLBACK_URL, SMS_FALLBACK_SECRET, FCM_SERVICE_ACCOUNT: account } = value;
  return {
    ...(SPARROW_TOKEN && SPARROW_FROM
      ? { sparrow: { url: value.SPARROW_URL ?? SPARROW_URL, token: SPARROW_TOKEN, from: SPARROW_FROM } }
      : {}),
    ...(SMS_FALLBACK_URL && SMS_FALLBACK_SECRET
      ? { smsFallback: { url: SMS_FALLBACK_URL, secret: SMS_FALLBACK_SECRET } }
      : {}),
    ...(value.EMAIL_FROM ? { email: { from: value.EMAIL_FROM } } : {}),
    ...(account
      ? {
          fcm: {
            sendUrl: `${FCM_ORIGIN}/v1/projects/${account.project_id}/messages:send`,
            tokenUrl: account.token_uri,
            clientEmail: account.client_email,
            privateKey: account.private_key,
            privateKeyId: account.private_key_id,
          },
        }
      : {}),
  };
}

/** Origins of the providers. */
export function providerOriginsOf({ sparrow, smsFallback, fcm }: Providers): string[] {
  const urls = [sparrow?.url, smsFallback?.url, fcm?.sendUrl, fcm?.tokenUrl];
  return urls.filter((each) => each !== undefined).map((each) => new URL(each).origin);
}

/**
 * Imports the private keys of the providers.
 *
 * @throws ConfigError if one is malformed.
 */
export async function importProviderKeys({ providers }: { providers: Providers }): Promise<Pick<Keyring, "fcm">> {
  const refusal = "FCM_SERVICE_ACCOUNT: private_key is not an RSA key";
  return { fcm: await importPrivateKey(providers.fcm?.privateKey, "RS256", refusal) };
}
