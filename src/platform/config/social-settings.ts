import { z } from "zod";
import { parseJson } from "../json.ts";
import { optional } from "./provider-settings.ts";

const list = z.string().transform((text) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean),
);

const endpoints = z
  .string()
  .transform((text) => parseJson(text))
  .pipe(
    z.strictObject(
      { issuer: z.url(), authorization: z.url(), token: z.url(), jwks: z.url(), revocation: z.url().optional() },
      "must be the JSON of a provider's endpoints",
    ),
  );

/** An address of an app or page: `https:`, or a scheme of the app's own in reverse domain form (RFC 8252 section 7.1). */
const appAddress = z.string().refine((text) => {
  if (!URL.canParse(text)) return false;
  const { protocol, hash, username, password } = new URL(text);
  const isOwnScheme = /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:$/.test(protocol);
  const isLoopback = /^http:\/\/(localhost|127\.0\.0\.1)(:\d+)?(\/|$)/.test(text);
  return hash === "" && username === "" && password === "" && (protocol === "https:" || isOwnScheme || isLoopback);
}, "must be https addresses, or ones of an app's own scheme such as com.example.app:/signed-in");

/** Settings of sign-in by Google and Apple; each may be absent, none by half. */
export const socialSettings = {
  /** Client of the browser flow. */
  GOOGLE_CLIENT_ID: optional(z.string()),
  GOOGLE_CLIENT_SECRET: optional(z.string()),
  /** Clients of the native apps, whose ID tokens are accepted too. */
  GOOGLE_NATIVE_CLIENT_IDS: optional(list),
  GOOGLE_ENDPOINTS: optional(endpoints),
  /** Services id of the browser flow. */
  APPLE_CLIENT_ID: optional(z.string()),
  /** Bundle ids of the native apps. */
  APPLE_NATIVE_CLIENT_IDS: optional(list),
  APPLE_TEAM_ID: optional(z.string()),
  APPLE_KEY_ID: optional(z.string()),
  /** The .p8 file. */
  APPLE_PRIVATE_KEY: optional(z.string().startsWith("-----BEGIN PRIVATE KEY-----", "must be the text of the .p8 file")),
  APPLE_ENDPOINTS: optional(endpoints),
  /** Where an app or page may receive its one-time code, exactly. */
  SOCIAL_REDIRECT_URIS: optional(list.pipe(z.array(appAddress))),
};

type SocialSettings = z.infer<z.ZodObject<typeof socialSettings>>;

export interface ProviderEndpoints {
  issuer: string;
  authorization: string;
  token: string;
  jwks: string;
  revocation?: string | undefined;
}

interface SocialClient {
  endpoints: ProviderEndpoints;
  /** Of the browser flow. */
  clientId: string;
  /** Every client whose ID tokens are ours: that of the browser flow, and those of the native apps. */
  audiences: string[];
}

export interface GoogleSettings extends SocialClient {
  clientSecret: string;
}

export interface AppleSettings extends SocialClient {
  teamId: string;
  keyId: string;
  /** PKCS #8, PEM. */
  privateKey: string;
}

export interface Social {
  google?: GoogleSettings;
  apple?: AppleSettings;
  redirectUris: string[];
}

/** https://accounts.google.com/.well-known/openid-configuration */
const GOOGLE: ProviderEndpoints = {
  issuer: "https://accounts.google.com",
  authorization: "https://accounts.google.com/o/oauth2/v2/auth",
  token: "https://oauth2.googleapis.com/token",
  jwks: "https://www.googleapis.com/oauth2/v3/certs",
};

/** https://appleid.apple.com/.well-known/openid-configuration */
const APPLE: ProviderEndpoints = {
  issuer: "https://appleid.apple.com",
  authorization: "https://appleid.apple.com/auth/authorize",
  token: "https://appleid.apple.com/auth/token",
  jwks: "https://appleid.apple.com/auth/keys",
  revocation: "https://appleid.apple.com/auth/revoke",
};

const googleNames = ["GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"] as const;
const appleNames = ["APPLE_CLIENT_ID", "APPLE_TEAM_ID", "APPLE_KEY_ID", "APPLE_PRIVATE_KEY"] as const;

/** What a provider lacks beside the settings it has: the setting's name, and why it is asked for. */
export function findHalfConfiguredSocial(value: SocialSettings, isDevelopment: boolean): string | undefined {
  const missing = (names: readonly (keyof SocialSettings)[], others: readonly (keyof SocialSettings)[]) => {
    const given = [...names, ...others].find((name) => value[name] !== undefined);
    const lacking = given && names.find((name) => value[name] === undefined);
    return lacking && `${lacking}: missing beside ${given}`;
  };
  const insecure = (["GOOGLE_ENDPOINTS", "APPLE_ENDPOINTS"] as const).find(
    (name) => !isDevelopment && Object.values(value[name] ?? {}).some((url) => url?.startsWith("https:") === false),
  );
  return (
    missing(googleNames, ["GOOGLE_NATIVE_CLIENT_IDS", "GOOGLE_ENDPOINTS"]) ??
    missing(appleNames, ["APPLE_NATIVE_CLIENT_IDS", "APPLE_ENDPOINTS"]) ??
    (insecure && `${insecure}: must be https`)
  );
}

/** The providers that are configured, whole. */
export function readSocial(value: SocialSettings): Social {
  const { GOOGLE_CLIENT_ID: googleId, GOOGLE_CLIENT_SECRET: clientSecret } = value;
  const { APPLE_CLIENT_ID: appleId, APPLE_TEAM_ID: teamId, APPLE_KEY_ID: keyId, APPLE_PRIVATE_KEY: privateKey } = value;
  return {
    redirectUris: value.SOCIAL_REDIRECT_URIS ?? [],
    ...(googleId && clientSecret
      ? {
          google: {
            endpoints: value.GOOGLE_ENDPOINTS ?? GOOGLE,
            clientId: googleId,
            clientSecret,
            audiences: [googleId, ...(value.GOOGLE_NATIVE_CLIENT_IDS ?? [])],
          },
        }
      : {}),
    ...(appleId && teamId && keyId && privateKey
      ? {
          apple: {
            endpoints: value.APPLE_ENDPOINTS ?? APPLE,
            clientId: appleId,
            audiences: [appleId, ...(value.APPLE_NATIVE_CLIENT_IDS ?? [])],
            teamId,
            keyId,
            privateKey,
          },
        }
      : {}),
  };
}

/** The origins that sign-in by Google and Apple calls; a browser alone goes to the authorization endpoint. */
export function socialOriginsOf({ google, apple }: Social): string[] {
  const urls = [google?.endpoints, apple?.endpoints].flatMap((each) => [each?.token, each?.jwks, each?.revocation]);
  return urls.flatMap((url) => (url === undefined ? [] : [new URL(url).origin]));
}
