import { settingNames } from "../../src/config.ts";
import { code, describeEach, table } from "./markdown.ts";

/** Variables, which `wrangler.toml` holds. */
const variables: Readonly<Record<string, string>> = {
  ENVIRONMENT: "`development`; any other value, and none, is production",
  APP_NAME:
    "name of the app in every message with a code; together with OTP_AUTOFILL_DOMAIN at most 34 characters, so that the message fits one SMS part",
  ISSUER: "`iss` of the tokens; https in production",
  AUDIENCE: "`aud` of the tokens",
  OTP_AUTOFILL_DOMAIN: "domain that phones fill a code in for; the last line of every message with a code",
  CORS_ORIGINS: "exact origins of browser apps, comma-separated",
  SMS_COUNTRIES: "ISO 3166-1 codes of countries that may receive text messages, comma-separated",
  EVENT_GATHER_MS:
    "optional, 250 by default, 0 to 5000; how long an event waits for others of the same isolate, so that they are published together",
  SPARROW_FROM: "optional; the sender identity registered at Sparrow SMS",
  SPARROW_URL: "optional; `https://api.sparrowsms.com/v2/sms/` by default",
  SMS_FALLBACK_URL: "optional; where text messages go that Sparrow does not take",
  SMS_DAILY_BUDGET:
    "calls of SMS providers a day (Asia/Kathmandu), a positive integer; required in development, and where Sparrow or the fallback is configured",
  EMAIL_FROM: "optional; sender of e-mail, of a domain onboarded to Cloudflare Email Service",
  EMAIL_DAILY_BUDGET: "optional, 10000 by default; codes by e-mail a day (Asia/Kathmandu), a positive integer",
  GOOGLE_CLIENT_ID: 'optional; the OAuth client of type "Web application"',
  GOOGLE_NATIVE_CLIENT_IDS: "optional; the clients of the native apps, comma-separated",
  GOOGLE_ENDPOINTS:
    "optional; JSON of `{issuer, authorization, token, jwks, revocation?}` that replaces Google's own, https in production",
  APPLE_CLIENT_ID: "optional; the Services ID of the browser flow",
  APPLE_NATIVE_CLIENT_IDS: "optional; the bundle ids of the native apps, comma-separated",
  APPLE_TEAM_ID: "optional; the id of the team",
  APPLE_KEY_ID: 'optional; the id of the team\'s "Sign in with Apple" key',
  APPLE_ENDPOINTS: "optional; as GOOGLE_ENDPOINTS",
  SOCIAL_REDIRECT_URIS:
    "optional; addresses of apps and pages that may receive a one-time code, compared exactly, comma-separated",
};

/** Secrets, which `wrangler secret put` sets. */
const secrets: Readonly<Record<string, string>> = {
  ACCESS_TOKEN_KEYS: "JSON array of Ed25519 JWKs `{kid, kty, crv, x, d}`; the first signs, all verify",
  TOKEN_SECRETS:
    "JSON array of `{kid, secret}`, 32 random bytes base64url each; the first makes refresh tokens, codes and seals, all verify",
  DATA_SECRETS:
    "JSON array as TOKEN_SECRETS; seals what is kept for years: the first seals, all open, and an entry stays until no row needs it",
  LOOKUP_SECRET: "32 random bytes, base64url; keyed hashes by which rows are found",
  TEST_IDENTIFIERS:
    "optional; at most 5 `{identifier, code, until}` for store reviewers, `until` at most 30 days ahead",
  SPARROW_TOKEN: "optional; Sparrow SMS",
  SMS_FALLBACK_SECRET: "optional; `whsec_` and 24 to 64 bytes, base64; signs what goes to SMS_FALLBACK_URL",
  FCM_SERVICE_ACCOUNT: "optional; JSON file of a Google service account that may send by Firebase Cloud Messaging",
  GOOGLE_CLIENT_SECRET: "optional; required with GOOGLE_CLIENT_ID",
  APPLE_PRIVATE_KEY: "optional; the text of the .p8 file, with line ends as they are or as `\\n`",
  WEBHOOKS:
    "optional; JSON array of at most 5 `{url, secrets}`: https (in development also http to this machine), and 1 to 3 different secrets, each `whsec_` and 24 to 64 bytes, base64",
};

/** @throws Error when a setting that the Worker reads is not described, or the other way round. */
function descriptionTable(header: string, chosen: Readonly<Record<string, string>>): string[] {
  const all = describeEach("settings", settingNames, { ...variables, ...secrets });
  return table(
    [header, "Meaning"],
    all.filter(([name]) => name in chosen).map(([name, meaning]) => [code(name), meaning]),
  );
}

export const variableTable = () => descriptionTable("Variable", variables);
export const secretTable = () => descriptionTable("Secret", secrets);
