import { z } from "zod";
import type { Config } from "../../platform/config/config.ts";
import { type DataKeys, dataKeysFor } from "../../platform/config/data-keys.ts";
import type { Keyring } from "../../platform/config/keyring.ts";
import { importPrivateKey, type PrivateKey } from "../../platform/config/private-key.ts";
import { json, list, optional } from "../../platform/config/settings.ts";

declare module "../../platform/config/config.ts" {
  interface Config {
    /** Sign-in with Google and Apple. */
    social: Social;
  }
}

declare module "../../platform/config/keyring.ts" {
  interface Keyring {
    /** Private key that signs the client secrets for Apple; undefined if Apple is not configured. */
    apple: PrivateKey | undefined;
    /** Encrypts Apple's refresh tokens. */
    appleRefreshToken: DataKeys;
  }
}

const NOT_ENDPOINTS = "must be a JSON object with the provider's endpoints";
const endpoints = json(
  z.strictObject(
    { issuer: z.url(), authorization: z.url(), token: z.url(), jwks: z.url(), revocation: z.url().optional() },
    NOT_ENDPOINTS,
  ),
  NOT_ENDPOINTS,
);

/** URL of an app or page: `https:`, loopback, or a custom scheme in reverse domain notation (RFC 8252 section 7.1). */
const appUrl = z.string().refine((text) => {
  if (!URL.canParse(text)) return false;
  const { protocol, hash, username, password } = new URL(text);
  const isOwnScheme = /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:$/.test(protocol);
  const isLoopback = /^http:\/\/(localhost|127\.0\.0\.1)(:\d+)?(\/|$)/.test(text);
  return hash === "" && username === "" && password === "" && (protocol === "https:" || isOwnScheme || isLoopback);
}, "must be https, loopback, or a custom app scheme such as com.example.app:/signed-in");

/** Settings of sign-in with Google and Apple. Each provider is optional but must be complete. */
export const socialSettings = {
  /** Client id of the browser flow. */
  GOOGLE_CLIENT_ID: optional(z.string()),
  GOOGLE_CLIENT_SECRET: optional(z.string()),
  /** Client ids of the native apps, whose ID tokens are accepted too. */
  GOOGLE_NATIVE_CLIENT_IDS: optional(list),
  GOOGLE_ENDPOINTS: optional(endpoints),
  /** Services ID of the browser flow. */
  APPLE_CLIENT_ID: optional(z.string()),
  /** Bundle IDs of the native apps. */
  APPLE_NATIVE_CLIENT_IDS: optional(list),
  APPLE_TEAM_ID: optional(z.string()),
  APPLE_KEY_ID: optional(z.string()),
  /** Contents of the .p8 file. */
  APPLE_PRIVATE_KEY: optional(
    z.string().startsWith("-----BEGIN PRIVATE KEY-----", "must be the contents of the .p8 file"),
  ),
  APPLE_ENDPOINTS: optional(endpoints),
  /** Exact URLs at which an app or page may receive its one-time code. */
  SOCIAL_REDIRECT_URIS: optional(list.pipe(z.array(appUrl))),
};

type SocialSettings = z.infer<z.ZodObject<typeof socialSettings>>;

/** Secrets of Google and Apple, each with the variable that switches its provider on. */
export const socialSwitches = {
  GOOGLE_CLIENT_SECRET: "GOOGLE_CLIENT_ID",
  APPLE_PRIVATE_KEY: "APPLE_CLIENT_ID",
} as const satisfies Partial<Record<keyof SocialSettings, keyof SocialSettings>>;

export interface ProviderEndpoints {
  issuer: string;
  authorization: string;
  token: string;
  jwks: string;
  revocation?: string | undefined;
}

interface SocialClient {
  endpoints: ProviderEndpoints;
  /** Client id of the browser flow. */
  clientId: string;
  /** Client ids whose ID tokens are accepted: the browser flow's and the native apps'. */
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

/** Describes the first missing or insecure setting of a provider; undefined if there is none. */
export function findHalfConfiguredSocial(value: SocialSettings, isDevelopment: boolean): string | undefined {
  const missing = (names: readonly (keyof SocialSettings)[], others: readonly (keyof SocialSettings)[]) => {
    const given = [...names, ...others].find((name) => value[name] !== undefined);
    const lacking = given && names.find((name) => value[name] === undefined);
    return lacking && `${lacking}: required with ${given}`;
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

/** Returns the configured providers. */
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

/**
 * Origins that the Worker calls for sign-in with Google and Apple. The authorization endpoint is missing, because only
 * browsers call it.
 */
export function socialOriginsOf({ google, apple }: Social): string[] {
  const urls = [google?.endpoints, apple?.endpoints].flatMap((each) => [each?.token, each?.jwks, each?.revocation]);
  return urls.flatMap((url) => (url === undefined ? [] : [new URL(url).origin]));
}

/**
 * Imports Apple's private key, and derives the keys that encrypt its refresh tokens.
 *
 * @throws ConfigError if the private key is malformed.
 */
export async function importSocialKeys(
  config: Pick<Config, "social" | "dataSecrets">,
): Promise<Pick<Keyring, "apple" | "appleRefreshToken">> {
  const pem = config.social.apple?.privateKey;
  return {
    apple: await importPrivateKey(pem, "ES256", "APPLE_PRIVATE_KEY: not a P-256 key"),
    appleRefreshToken: await dataKeysFor(config, "apple-refresh-token"),
  };
}
