import { type CryptoKey, exportJWK, exportPKCS8, generateKeyPair, type JWK, jwtVerify, SignJWT } from "jose";
import { newEmail } from "./client.ts";
import { fakeInternet, type Host, type Outgoing } from "./internet.ts";

export type Name = "google" | "apple";
export const names = ["google", "apple"] as const;

export type Claims = Record<string, unknown>;

export const CLIENTS = {
  google: { web: "web.apps.googleusercontent.com", ios: "ios.apps.googleusercontent.com" },
  apple: { web: "com.example.web", ios: "com.example.app" },
} as const;
export const ISSUERS = { google: "https://accounts.google.com", apple: "https://appleid.apple.com" } as const;
export const KID = "provider-key-1";
export const APP_URI = "com.example.app:/signed-in";
export const PAGE_URI = "https://app.example.com/signed-in";
const TEAM_ID = "TEAM123456";
const APPLE_KEY_ID = "APPLEKEY01";
const GOOGLE_SECRET = "canary-google-client-secret";
export const REFRESH_TOKEN = "canary-apple-refresh-token";

const nowSeconds = () => Math.floor(Date.now() / 1000);

/** The providers' key, and a key that no provider uses. */
export const rsa = await generateKeyPair("RS256", { extractable: true });
export const strangerRsa = await generateKeyPair("RS256", { extractable: true });
const appleClient = await generateKeyPair("ES256", { extractable: true });
const applePem = await exportPKCS8(appleClient.privateKey);
export const publicJwk: JWK = { ...(await exportJWK(rsa.publicKey)), kid: KID, alg: "RS256", use: "sig" };

const base64url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
export const encode = (text: string) => base64url(new TextEncoder().encode(text));
const digest = async (text: string) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
export const hexSha256 = async (text: string) =>
  Array.from(await digest(text), (byte) => byte.toString(16).padStart(2, "0")).join("");
export const base64urlSha256 = async (text: string) => base64url(await digest(text));

/** Returns a new code verifier and its challenge. */
export async function newVerifier() {
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)));
  return { verifier, challenge: await base64urlSha256(verifier) };
}

export interface Person {
  sub: string;
  email: string;
  email_verified: unknown;
  name?: string;
  picture?: string;
  hd?: string;
}

/** A new person whose address the provider is authoritative for, unless `changes` says otherwise. */
export function newPerson(name: Name, changes: Partial<Person> = {}): Person {
  const domain = name === "google" ? "gmail.com" : "privaterelay.appleid.com";
  const email = newEmail().replace("example.com", domain);
  return { sub: `sub-${crypto.randomUUID()}`, email, email_verified: name === "google" ? true : "true", ...changes };
}

/** Signs an ID token of the provider; claims of undefined are left out. */
export async function mint(
  name: Name,
  claims: Claims = {},
  { header = {}, key = rsa.privateKey }: { header?: Claims; key?: CryptoKey | Uint8Array } = {},
): Promise<string> {
  const all = {
    iss: ISSUERS[name],
    aud: CLIENTS[name].ios,
    ...(name === "google" ? { azp: CLIENTS[name].ios } : {}),
    iat: nowSeconds(),
    exp: nowSeconds() + 3600,
    ...claims,
  };
  const given = Object.fromEntries(
    Object.entries({ alg: "RS256", kid: KID, ...header }).filter(([, v]) => v !== undefined),
  );
  const payload = JSON.parse(JSON.stringify(all));
  return new SignJWT(payload).setProtectedHeader(given as { alg: string }).sign(key);
}

/** Signs any text as a payload, JSON or not. */
export async function signText(text: string, header: Claims = { alg: "RS256", kid: KID }): Promise<string> {
  const input = `${encode(JSON.stringify(header))}.${encode(text)}`;
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const jwk = await exportJWK(rsa.privateKey);
  const key = (await crypto.subtle.importKey("jwk", jwk as JsonWebKey, algorithm, false, [
    "sign",
  ])) as unknown as globalThis.CryptoKey;
  const signature = await crypto.subtle.sign(algorithm.name, key, new TextEncoder().encode(input));
  return `${input}.${base64url(new Uint8Array(signature))}`;
}

interface IssuedCode {
  clientId: string;
  /** Who the code was issued to, if no ID token is given. */
  sub?: string | undefined;
  idToken: string | undefined;
  redirectUri: string | null;
  challenge: string | null;
}

let serial = 0;

export type Providers = ReturnType<typeof fakeProviders>;

/**
 * Replaces the network with both providers: keys, and token and revocation endpoints that check their requests. Their
 * keys have unique URLs, so that no test uses another's cache; `atDefaults` uses the real URLs.
 */
export function fakeProviders(others: Record<string, Host> = {}, atDefaults = false) {
  serial += 1;
  const codes = new Map<string, IssuedCode>();
  const refused: string[] = [];
  const revoked: string[] = [];
  const certs = {
    google: `https://www.googleapis.com/oauth2/v3/certs${atDefaults ? "" : `/${serial}`}`,
    apple: `https://appleid.apple.com/auth/keys${atDefaults ? "" : `/${serial}`}`,
  };
  const tokens = { google: "https://oauth2.googleapis.com/token", apple: "https://appleid.apple.com/auth/token" };
  const revocation = "https://appleid.apple.com/auth/revoke";

  const refuse = (error: string, why: string) => {
    refused.push(why);
    return Response.json({ error }, { status: 400 });
  };

  /** Whether Apple would accept the client secret (RFC 7523, and Apple's own rules). */
  async function isAppleSecret(form: URLSearchParams): Promise<boolean> {
    try {
      const { payload, protectedHeader } = await jwtVerify(form.get("client_secret") ?? "", appleClient.publicKey, {
        algorithms: ["ES256"],
        issuer: TEAM_ID,
        audience: ISSUERS.apple,
        subject: form.get("client_id") ?? "",
        requiredClaims: ["iat", "exp"],
        currentDate: new Date(Date.now()),
      });
      return protectedHeader.kid === APPLE_KEY_ID && Number(payload.exp) - Number(payload.iat) <= 180 * 86_400;
    } catch {
      return false;
    }
  }

  async function exchange(name: Name, { body, method, headers }: Outgoing): Promise<Response> {
    const form = new URLSearchParams(body);
    if (method !== "POST" || !headers.get("content-type")?.startsWith("application/x-www-form-urlencoded")) {
      return refuse("invalid_request", "form");
    }
    const isClient = name === "google" ? form.get("client_secret") === GOOGLE_SECRET : await isAppleSecret(form);
    if (!isClient) return refuse("invalid_client", "client");
    const code = codes.get(form.get("code") ?? "");
    // A code works once (RFC 6749 section 4.1.2).
    codes.delete(form.get("code") ?? "");
    if (form.get("grant_type") !== "authorization_code" || !code) return refuse("invalid_grant", "code");
    if (code.clientId !== form.get("client_id")) return refuse("invalid_grant", "client of the code");
    if (code.redirectUri !== form.get("redirect_uri")) return refuse("invalid_grant", "redirect_uri");
    const verifier = form.get("code_verifier");
    const isProved = code.challenge === null || (verifier && (await base64urlSha256(verifier)) === code.challenge);
    if (!isProved) return refuse("invalid_grant", "code_verifier");
    return Response.json({
      access_token: "canary-access-token",
      token_type: "Bearer",
      expires_in: 3600,
      id_token: code.idToken ?? (await mint(name, { sub: code.sub ?? "nobody", aud: code.clientId })),
      ...(name === "apple" ? { refresh_token: REFRESH_TOKEN } : {}),
    });
  }

  /** Handler of each URL; a test may replace it. */
  const behaviour: Record<string, Host> = {
    [certs.google]: () => Response.json({ keys: [publicJwk] }),
    [certs.apple]: () => Response.json({ keys: [publicJwk] }),
    [tokens.google]: (request) => exchange("google", request),
    [tokens.apple]: (request) => exchange("apple", request),
    [revocation]: async ({ body }) => {
      const form = new URLSearchParams(body);
      if (!(await isAppleSecret(form))) return refuse("invalid_client", "client");
      revoked.push(`${form.get("client_id")} ${form.get("token")}`);
      return new Response(null, { status: 200 });
    },
  };
  const route: Host = (request) => behaviour[request.url]?.(request) ?? new Response("nothing here", { status: 404 });
  const origins = [...new Set(Object.keys(behaviour).map((url) => new URL(url).origin))];
  const received = fakeInternet({ ...Object.fromEntries(origins.map((origin) => [origin, route])), ...others });
  const callsTo = (url: string) => (received[new URL(url).origin] ?? []).filter((request) => request.url === url);

  const env = {
    ISSUER: "https://api.example.com",
    GOOGLE_CLIENT_ID: CLIENTS.google.web,
    GOOGLE_CLIENT_SECRET: GOOGLE_SECRET,
    GOOGLE_NATIVE_CLIENT_IDS: CLIENTS.google.ios,
    APPLE_CLIENT_ID: CLIENTS.apple.web,
    APPLE_NATIVE_CLIENT_IDS: CLIENTS.apple.ios,
    APPLE_TEAM_ID: TEAM_ID,
    APPLE_KEY_ID,
    APPLE_PRIVATE_KEY: applePem,
    SOCIAL_REDIRECT_URIS: `${APP_URI},${PAGE_URI}`,
    ...(atDefaults
      ? {}
      : {
          GOOGLE_ENDPOINTS: JSON.stringify({
            issuer: ISSUERS.google,
            authorization: "https://accounts.google.com/o/oauth2/v2/auth",
            token: tokens.google,
            jwks: certs.google,
          }),
          APPLE_ENDPOINTS: JSON.stringify({
            issuer: ISSUERS.apple,
            authorization: "https://appleid.apple.com/auth/authorize",
            token: tokens.apple,
            jwks: certs.apple,
            revocation,
          }),
        }),
  } as unknown as Partial<Env>;

  function issueCode(name: Name, given: Partial<IssuedCode> = {}): string {
    const code = `code-${crypto.randomUUID()}`;
    codes.set(code, { clientId: CLIENTS[name].ios, idToken: undefined, redirectUri: null, challenge: null, ...given });
    return code;
  }

  return {
    env,
    certs,
    tokens,
    revocation,
    behaviour,
    callsTo,
    /** Reasons for refusals by the endpoints, in order. */
    refused,
    /** `client_id token` of each revoked token. */
    revoked,
    issueCode,
    /** What a native SDK returns to its app: the fields of the token routes. */
    async nativeSignIn(name: Name, person: Person, claims: Claims = {}) {
      const nonce = crypto.randomUUID();
      const id_token = await mint(name, { ...person, nonce: await hexSha256(nonce), ...claims });
      const aud = [claims.aud ?? CLIENTS[name].ios].flat()[0];
      if (name === "google") return { id_token, nonce };
      const code = issueCode(name, { clientId: String(aud), sub: String(claims.sub ?? person.sub) });
      return { id_token, nonce, authorization_code: code };
    },
    /** What the browser brings back from the provider. */
    async consent(name: Name, location: string, person: Person, claims: Claims = {}) {
      const asked = new URL(location).searchParams;
      const clientId = asked.get("client_id") ?? "";
      const idToken = await mint(name, {
        ...person,
        aud: clientId,
        ...(name === "google" ? { azp: clientId } : {}),
        nonce: asked.get("nonce") ?? undefined,
        ...claims,
      });
      const redirectUri = asked.get("redirect_uri");
      const code = issueCode(name, { clientId, idToken, redirectUri, challenge: asked.get("code_challenge") });
      return { code, state: asked.get("state") ?? "" };
    },
  };
}
