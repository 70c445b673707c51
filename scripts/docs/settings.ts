import { settingNames } from "../../src/config.ts";
import { code, describeEach, table } from "./markdown.ts";

/** Variables in `wrangler.toml`. */
const variables: Readonly<Record<string, string>> = {
  ENVIRONMENT: "`development`; any other value, or no value, means production",
  APP_NAME:
    "name of the app in every message with a code; together with OTP_AUTOFILL_DOMAIN at most 34 characters, so that the message fits one SMS part",
  ISSUER: "`iss` of the tokens; https in production",
  AUDIENCE: "`aud` of the tokens",
  OTP_AUTOFILL_DOMAIN: "domain for which phones autofill the code; in the last line of every SMS with a code",
  SMS_ANDROID_APP_HASH:
    "optional; the 11 characters by which Android's SMS Retriever API recognizes messages for your app: the line before the last of every SMS with a code",
  SUPPORT_CONTACT:
    "optional, at most 30 characters; a phone number, address or URL at the end of messages about an account's security; a text message has it only if it still fits one SMS part",
  CORS_ORIGINS: "exact origins of browser apps, comma-separated",
  SMS_COUNTRIES: "ISO 3166-1 codes of countries that may receive text messages, comma-separated",
  RECYCLED_AFTER_DAYS:
    "optional, off by default, 30 to 365; after so many days without a sign-in, a code by SMS alone does not enter an account that holds something, see [identity](identity.md#numbers-with-a-new-owner). Set it once your apps know `number_dormant`",
  EVENT_GATHER_MS:
    "optional, 250 by default, 0 to 5000; how long an event waits to be published with others of the same isolate, in milliseconds",
  STAFF_VIEWS_PER_HOUR:
    "optional, 600 by default, 1 to 10000; persons, KYC cases, fields and files that a member of staff may see in an hour",
  REFUSAL_FLUSH_MS:
    "optional, 60000 by default, 0 to 3600000; how often an isolate stores how many requests it has refused, in milliseconds; 0 turns the counting off",
  KYC_APPROVALS:
    "optional, 1 by default; with 2 a KYC is approved only when two reviewers have approved the same version",
  SPARROW_FROM: "optional; the sender identity registered at Sparrow SMS, which it switches on",
  SPARROW_URL: "optional; `https://api.sparrowsms.com/v2/sms/` by default",
  SMS_FALLBACK_URL: "optional; gateway for text messages that Sparrow does not accept; switches the fallback on",
  SMS_DAILY_BUDGET:
    "SMS provider calls per day (Asia/Kathmandu), a positive integer; required in development, and with SPARROW_FROM or SMS_FALLBACK_URL",
  EMAIL_FROM: "optional; sender of e-mails, in a domain onboarded to Cloudflare Email Service",
  EMAIL_DAILY_BUDGET: "optional, 10000 by default; codes by e-mail per day (Asia/Kathmandu), a positive integer",
  GOOGLE_CLIENT_ID: 'optional; the OAuth client of type "Web application"; switches sign-in with Google on',
  GOOGLE_NATIVE_CLIENT_IDS: "optional; the client ids of the native apps, comma-separated",
  GOOGLE_ENDPOINTS:
    "optional; JSON of `{issuer, authorization, token, jwks, revocation?}` that replaces Google's own endpoints; https in production",
  APPLE_CLIENT_ID: "optional; the Services ID of the browser flow; switches sign-in with Apple on",
  APPLE_NATIVE_CLIENT_IDS: "optional; the bundle ids of the native apps, comma-separated",
  APPLE_TEAM_ID: "the id of the team; required with APPLE_CLIENT_ID",
  APPLE_KEY_ID: 'the id of the team\'s "Sign in with Apple" key; required with APPLE_CLIENT_ID',
  APPLE_ENDPOINTS: "optional; as GOOGLE_ENDPOINTS",
  PASSKEY_RP_ID:
    "optional; the domain that passkeys are bound to, best the registrable one (`powerbank.example`), so that dashboards and apps below it share them. Never change it: every passkey would be lost",
  PASSKEY_ORIGINS:
    "optional; exact origins of pages that use passkeys, comma-separated; https in production. One that is not the domain or below it is a related origin and appears in `/.well-known/webauthn`. `https://` followed by the domain always counts",
  PASSKEY_IOS_APPS: "optional; iOS apps that use passkeys, `TEAMID.bundle.id`, comma-separated",
  PASSKEY_ANDROID_APPS:
    'optional; Android apps that use passkeys, JSON `{"np.powerbank.app": ["AB:CD:…"]}`: the SHA-256 fingerprints of each signing certificate, that of Google Play and that of the upload key',
  STAFF_PASSKEYS:
    "`optional` or `required`; needed in production with PASSKEY_RP_ID. With `required`, a staff role works only in a session that a passkey opened or proved",
  CONSOLE: "optional; `on` or `off`: the staff console at `/console`; on in development and off elsewhere by default",
  ACCESS_TEAM:
    "optional; name of the Cloudflare Zero Trust team whose Access application protects `/console`; with ACCESS_AUD",
  ACCESS_AUD: "optional; audience tag of that application; the console then requires its assertion",
  SOCIAL_REDIRECT_URIS:
    "optional; addresses of apps and pages that may receive a one-time code, compared exactly, comma-separated",
};

/** Secrets, set by `wrangler secret put`. */
const secrets: Readonly<Record<string, string>> = {
  ACCESS_TOKEN_KEYS: "JSON array of Ed25519 JWKs `{kid, kty, crv, x, d}`; the first signs, all verify",
  TOKEN_SECRETS:
    "JSON array of `{kid, secret}`, 32 random bytes base64url each; the first is used for new refresh tokens, codes and short-lived encryption, all verify and decrypt",
  DATA_SECRETS:
    "JSON array like TOKEN_SECRETS, for data that is kept for years: the first encrypts, all decrypt; keep an entry until no row needs it",
  LOOKUP_SECRET: "32 random bytes, base64url; key of the hashes by which rows are found",
  TEST_IDENTIFIERS:
    "optional; at most 5 `{identifier, code, until}` for store reviewers, `until` at most 30 days ahead",
  SPARROW_TOKEN: "Sparrow SMS; required with SPARROW_FROM",
  SMS_FALLBACK_SECRET:
    "`whsec_` and 24 to 64 bytes, base64; signs requests to SMS_FALLBACK_URL, with which it is required",
  FCM_SERVICE_ACCOUNT:
    "optional; JSON file of a Google service account that may send by Firebase Cloud Messaging; switches push on",
  GOOGLE_CLIENT_SECRET: "the secret of that client; required with GOOGLE_CLIENT_ID",
  APPLE_PRIVATE_KEY: "the text of the .p8 file, with line breaks or with `\\n` instead; required with APPLE_CLIENT_ID",
  WEBHOOKS:
    "optional; JSON array of at most 5 `{url, secrets}`: https (in development also http on loopback), and 1 to 3 different secrets, each `whsec_` and 24 to 64 bytes, base64",
};

/** @throws Error if a setting of the Worker is not described here, or a described one does not exist. */
function descriptionTable(header: string, chosen: Readonly<Record<string, string>>): string[] {
  const all = describeEach("settings", settingNames, { ...variables, ...secrets });
  return table(
    [header, "Meaning"],
    all.filter(([name]) => name in chosen).map(([name, meaning]) => [code(name), meaning]),
  );
}

export const variableTable = () => descriptionTable("Variable", variables);
export const secretTable = () => descriptionTable("Secret", secrets);
