import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import type { Server } from "node:http";
import { Readable } from "node:stream";
import { exportJWK, generateKeyPair, jwtVerify } from "jose";
import Provider, { type ClientMetadata, type Configuration } from "oidc-provider";
import { type Brand, brandPages, brands } from "./branding.ts";

// Local stand-ins for Google and Apple: real OpenID providers with invented users.

export interface StandIn {
  /** Variables that make the Worker use the stand-in. */
  vars: Record<string, string>;
  stop(): Promise<void>;
}

interface Setting {
  port: number;
  /** URL of the Worker as browsers of this machine reach it. */
  api: string;
  /** Address on which the stand-in listens; default: 127.0.0.1. */
  host?: string;
  /** Client id of the native app, whose ID tokens the Worker accepts too. */
  nativeClientId: string;
  /** Where the native app receives its code and ID token; default: a link that only a phone could open. */
  nativeRedirectUri?: string;
}

const CLIENT = { google: "google-web.development", apple: "apple-web.development" };

/** Builds the claims of a user from the name that was typed, with an address in the provider's own domain. */
function claimsOf(domain: string, id: string) {
  const name = id.replace(/[^a-z0-9]+/gi, " ").trim() || "Test User";
  const address = `${id.toLowerCase().replace(/[^a-z0-9.]+/g, ".")}@${domain}`;
  return { sub: `${domain}:${id}`, email: address, email_verified: true, name };
}

async function configure(domain: string, clients: Configuration["clients"]): Promise<Configuration> {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  return {
    clients,
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: "RS256", use: "sig", kid: "development" }] } as never,
    cookies: { keys: [randomBytes(16).toString("hex")] },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], name: ["name"] },
    responseTypes: ["code", "code id_token"],
    scopes: ["openid", "email", "profile", "name", "offline_access"],
    // Puts all claims into the ID token, as the SDKs do.
    conformIdTokenClaims: false,
    pkce: { required: () => false },
    issueRefreshToken: async () => true,
    findAccount: (_, id) => ({ accountId: id, claims: () => claimsOf(domain, id) }),
    features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
    ttl: {
      ...{ Interaction: 600, Session: 600, Grant: 600, IdToken: 600, AccessToken: 600, RefreshToken: 600 },
      AuthorizationCode: 60,
    },
  };
}

/** Metadata shared by the clients of the browser flow. */
function webClient(client_secret: string): Omit<ClientMetadata, "client_id"> {
  return {
    client_secret,
    token_endpoint_auth_method: "client_secret_post",
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
  };
}

/** A native app's client, whose SDK gets an ID token with the code (OpenID Connect Core 1.0 section 3.3). */
function nativeClient(
  client: Omit<ClientMetadata, "client_id">,
  { nativeClientId, nativeRedirectUri = "com.example.app:/signed-in" }: Setting,
): ClientMetadata {
  return {
    ...client,
    client_id: nativeClientId,
    application_type: "native",
    redirect_uris: [nativeRedirectUri],
    grant_types: ["authorization_code", "implicit", "refresh_token"],
    response_types: ["code id_token"],
  };
}

function listen(provider: Provider, { port, host = "127.0.0.1" }: Setting): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = provider.listen(port, host, () => resolve(server));
    server.once("error", reject);
  });
}

const stopOf = (server: Server) => () =>
  new Promise<void>((resolve) => {
    server.closeAllConnections();
    server.close(() => resolve());
  });

function endpointsOf(issuer: string) {
  return JSON.stringify({
    issuer,
    authorization: `${issuer}/auth`,
    token: `${issuer}/token`,
    jwks: `${issuer}/jwks`,
    revocation: `${issuer}/token/revocation`,
  });
}

/** Accepts the registered redirect addresses at every host, because a phone calls this machine by its own address. */
function allowEveryHost({ Client }: Provider): void {
  const withoutHost = (url: string) => {
    const { protocol, port, pathname } = new URL(url);
    return [protocol, port, pathname].join();
  };
  Client.prototype.redirectUriAllowed = function (this: InstanceType<typeof Client>, given: string) {
    return (this.redirectUris ?? []).some((registered) => withoutHost(registered) === withoutHost(given));
  };
}

/** Builds a provider, without the library's warnings that its storage and its pages are for development only. */
function buildProvider(issuer: string, brand: Brand, configuration: Configuration): Provider {
  const { warn } = console;
  console.warn = () => {};
  try {
    const provider = new Provider(issuer, configuration);
    brandPages(provider, brand);
    allowEveryHost(provider);
    return provider;
  } finally {
    console.warn = warn;
  }
}

/** Starts the stand-in for Google: PKCE, a client secret, gmail.com addresses. */
export async function startGoogle(setting: Setting): Promise<StandIn> {
  const { port, api, nativeClientId } = setting;
  const issuer = `http://localhost:${port}`;
  const secret = randomBytes(24).toString("hex");
  const client = webClient(secret);
  const provider = buildProvider(
    issuer,
    brands.google,
    await configure("gmail.com", [
      { ...client, client_id: CLIENT.google, redirect_uris: [`${api}/api/auth/google/callback`] },
      nativeClient(client, setting),
    ]),
  );
  const server = await listen(provider, setting);
  return {
    vars: {
      GOOGLE_CLIENT_ID: CLIENT.google,
      GOOGLE_CLIENT_SECRET: secret,
      GOOGLE_NATIVE_CLIENT_IDS: nativeClientId,
      GOOGLE_ENDPOINTS: endpointsOf(issuer),
    },
    stop: stopOf(server),
  };
}

/**
 * Starts the stand-in for Apple: the openid scope is not requested, the client secret is a JWT signed by the team's
 * key, and the answer is a cross-site form post.
 */
export async function startApple(setting: Setting): Promise<StandIn> {
  const { port, api, nativeClientId } = setting;
  const issuer = `http://localhost:${port}`;
  const [teamId, keyId, secret] = ["TEAM000000", "KEY0000000", randomBytes(24).toString("hex")];
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const client = webClient(secret);
  const provider = buildProvider(
    issuer,
    brands.apple,
    await configure("privaterelay.appleid.com", [
      { ...client, client_id: CLIENT.apple, redirect_uris: [`${api}/api/auth/apple/callback`] },
      nativeClient(client, setting),
    ]),
  );
  provider.use(async (context, next) => {
    if (context.path === "/auth" && context.method === "GET") {
      context.query = { ...context.query, scope: `openid ${context.query.scope ?? ""}` };
    }
    if (context.method === "POST" && context.path.startsWith("/token")) {
      const chunks: Buffer[] = [];
      for await (const chunk of context.req) chunks.push(chunk as Buffer);
      const form = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
      const isValidSecret = await jwtVerify(form.client_secret ?? "", createPublicKey(privateKey), {
        algorithms: ["ES256"],
        issuer: teamId,
        audience: issuer,
        subject: form.client_id ?? "",
        requiredClaims: ["iat", "exp"],
      }).then(
        ({ protectedHeader }) => protectedHeader.kid === keyId,
        () => false,
      );
      form.client_secret = isValidSecret ? secret : "refused";
      const body = Buffer.from(new URLSearchParams(form).toString());
      context.req.headers["content-length"] = String(body.length);
      // A stream again, because the library warns about a body that was parsed before.
      context.req = Object.assign(Readable.from([body]), { headers: context.req.headers }) as typeof context.req;
    }
    await next();
  });
  const server = await listen(provider, setting);
  return {
    vars: {
      APPLE_CLIENT_ID: CLIENT.apple,
      APPLE_NATIVE_CLIENT_IDS: nativeClientId,
      APPLE_TEAM_ID: teamId,
      APPLE_KEY_ID: keyId,
      APPLE_PRIVATE_KEY: pem,
      APPLE_ENDPOINTS: endpointsOf(issuer),
    },
    stop: stopOf(server),
  };
}
