import { createExecutionContext } from "cloudflare:test";
import { base64url, decodeJwt, decodeProtectedHeader } from "jose";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { TokenVerifier } from "../../src/index.ts";
import { deriveHmacKey } from "../../src/platform/crypto.ts";
import { type Answer, call, newIp, newPhone, type SignedIn, testEnv, verify } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { documentIdOf, pathOf, submit } from "../support/kyc.ts";
import { fakeProviders, newPerson, newVerifier } from "../support/openid.ts";
import { newUser } from "../support/people.ts";
import { refresh } from "../support/session-calls.ts";
import { describePart, forge, type SigningJwk } from "./jwt-corpus.ts";
import { mutateBytes, mutateClaims, mutateEncoding, mutateHeaders, mutateToken } from "./jwt-mutations.ts";

useClock();
afterEach(() => vi.restoreAllMocks());

let tried = 0;
afterAll(() => console.log(`jwt: ${tried} tokens tried`));

const [ownKey] = JSON.parse(testEnv.ACCESS_TOKEN_KEYS) as [SigningJwk];
const partsOf = (token: string) => [{ ...decodeProtectedHeader(token) }, { ...decodeJwt(token) }] as const;

const me = (token: string) => call("GET", "/api/auth/me", { headers: { authorization: `Bearer ${token}` } });
const logout = (access: string) => (refresh_token: string) =>
  call("POST", "/api/auth/logout", { token: access, json: { refresh_token } });

/** The responses to the tokens that are not a plain 401. */
async function findAccepted(tokens: Iterable<string>, show: (token: string) => Promise<Answer>): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const token of tokens) {
    tried += 1;
    const { status, headers, body } = await show(token);
    const is401 = status === 401 && /^Bearer/.test(headers.get("www-authenticate") ?? "");
    if (is401 && ["token_not_valid", "authentication_required"].includes(body.error?.code)) continue;
    found.push({ status, code: body.error?.code, parts: token.split(".").map(describePart) });
  }
  return found;
}

/** Whether the token's claims can be read and its expiry has passed. */
function isExpired(token: string): boolean {
  try {
    const [, { exp }] = partsOf(token);
    return typeof exp === "number" && exp * 1000 <= Date.now();
  } catch {
    return false;
  }
}

async function expectAlive(user: SignedIn): Promise<void> {
  expect((await me(user.access)).status).toBe(200);
  expect((await refresh(user.refresh)).status).toBe(200);
}

describe("ASVS 9.1.1, 9.1.2, 9.1.3, 9.2.1, 9.2.2, 9.2.3, 9.2.4; RFC 8725: over a thousand mutations", () => {
  it("of an access token get 401 from a route and invalid from the token verifier", async () => {
    const user = await newUser();
    const corpus = await mutateToken(ownKey, user.access, ...partsOf(user.access));
    expect(new Set(corpus).size).toBeGreaterThan(2000);
    expect(await findAccepted(corpus, me)).toEqual([]);
    const context = Object.assign(createExecutionContext(), { props: {} }) as ExecutionContext<object>;
    const verifier = new TokenVerifier(context, testEnv);
    const verdicts = new Set<string>();
    for (const token of corpus) verdicts.add(JSON.stringify(await verifier.verifyAccessToken(token)));
    const allowed = ["invalid", "expired", "ended"].map((reason) => JSON.stringify({ valid: false, reason }));
    expect([...verdicts].filter((verdict) => !allowed.includes(verdict))).toEqual([]);
    await expectAlive(user);
  });

  it("of a refresh token get 401 from refresh and logout and end nothing", async () => {
    const user = await newUser();
    const [header, claims] = partsOf(user.refresh);
    const secrets = JSON.parse(testEnv.TOKEN_SECRETS) as { kid: string; secret: string }[];
    const secret = secrets.find(({ kid }) => kid === header.kid)?.secret ?? "";
    const key = await deriveHmacKey(base64url.decode(secret), "refresh-token");
    const sign = (input: Uint8Array<ArrayBuffer>) => crypto.subtle.sign("HMAC", key, input);
    expect(await forge(sign, header, claims)).toBe(user.refresh);
    // `user_id` only repeats `sub` for readers; refresh does not check it.
    const decisive = { ...claims, user_id: undefined };
    const corpus = [
      ...(await mutateHeaders(sign, header, claims)),
      ...(await mutateClaims(sign, header, decisive, ["iss", "aud", "sub", "sid", "token_type", "exp", "iat"])),
      ...mutateBytes(user.refresh),
      ...mutateEncoding(user.refresh),
    ];
    expect(new Set(corpus).size).toBeGreaterThan(1500);
    expect(await findAccepted(corpus, refresh)).toEqual([]);
    // Logout takes an expired refresh token of the same session.
    const unexpired = corpus.filter((token) => !isExpired(token));
    expect(unexpired.length).toBeGreaterThan(1500);
    expect(await findAccepted(unexpired, logout(user.access))).toEqual([]);
    await expectAlive(user);
  });

  it("of the last character of an access token get 401 or count as the same token", async () => {
    const user = await newUser();
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (const letter of alphabet) {
      const { status, body } = await me(user.access.slice(0, -1) + letter);
      if (status === 200) expect(body.data.id).toBe(user.userId);
      else expect([status, body.error.code]).toEqual([401, "token_not_valid"]);
    }
  });
});

describe("ASVS 9.2.2, RFC 8725 section 3.11: every other token that this service or a provider signs", () => {
  /** One token of each kind, each valid in its own place. */
  async function collectTokens() {
    const providers = fakeProviders();
    const user = await newUser();
    const identifier = newPhone();
    const submitted = (await submit(user)).body.data;
    const link = new URL(submitted.document_front_url);
    const native = await providers.nativeSignIn("google", newPerson("google"));
    const apple = await providers.nativeSignIn("apple", newPerson("apple"));
    const { env } = providers;
    const { challenge } = await newVerifier();
    const query = new URLSearchParams({ redirect_uri: "com.example.app:/signed-in", code_challenge: challenge });
    const ordered = await call("GET", `/api/auth/google/login?${query}`, { env, ip: newIp() });
    const flow = new URL(ordered.body.data.login_url).searchParams.get("flow") ?? "";
    const jwks = (await call("GET", "/.well-known/jwks.json")).body.keys;
    const kinds: Record<string, string> = {
      access: user.access,
      refresh: user.refresh,
      verification: await verify(identifier, { ip: newIp() }),
      "signature of a document link": link.searchParams.get("sig") ?? "",
      "flow of a social sign-in": flow,
      "ID token of Google": native.id_token,
      "ID token of Apple": apple.id_token,
      "authorization code": String((apple as { authorization_code?: string }).authorization_code),
      "public key": JSON.stringify(jwks[0]).replaceAll(" ", ""),
      "key id": ownKey.kid,
      "session id": String(decodeJwt(user.access).sid),
      "user id": user.userId,
      "document id": documentIdOf(submitted.document_front_url),
    };
    return { kinds, user, identifier, env, link };
  }

  it("is rejected wherever another kind is expected, and stays valid in its own place", async () => {
    const { kinds, user, identifier, env, link } = await collectTokens();
    const json = (body: Record<string, string>) => ({ env, ip: newIp(), json: body });
    const places: Record<string, { own: string[]; show: (token: string) => Promise<Answer>; statuses: number[] }> = {
      bearer: { own: ["access"], show: me, statuses: [401] },
      refresh: { own: ["refresh"], show: refresh, statuses: [401] },
      logout: { own: ["refresh"], show: logout(user.access), statuses: [401] },
      register: {
        own: ["verification"],
        show: (token) => call("POST", "/api/auth/register", json({ identifier, verification_token: token })),
        statuses: [400],
      },
      login: {
        own: [],
        show: (token) =>
          call("POST", "/api/auth/login", json({ identifier: user.identifier, verification_token: token })),
        statuses: [400],
      },
      "Google's ID token": {
        own: ["ID token of Google"],
        show: (token) => call("POST", "/api/auth/google/token", json({ id_token: token })),
        statuses: [400],
      },
      "Apple's ID token": {
        own: ["ID token of Apple"],
        show: (token) =>
          call(
            "POST",
            "/api/auth/apple/token",
            json({ id_token: token, nonce: "a".repeat(16), authorization_code: "x" }),
          ),
        statuses: [400],
      },
      "one-time code": {
        own: [],
        show: (token) =>
          call("POST", "/api/auth/social/success", json({ code: token.slice(0, 255), code_verifier: "x".repeat(43) })),
        statuses: [400],
      },
      flow: {
        own: ["flow of a social sign-in"],
        show: (token) => call("GET", `/api/auth/google/start?flow=${encodeURIComponent(token)}`, { env, ip: newIp() }),
        statuses: [400],
      },
      "flow of the other provider": {
        own: [],
        show: (token) => call("GET", `/api/auth/apple/start?flow=${encodeURIComponent(token)}`, { env, ip: newIp() }),
        statuses: [400],
      },
      cursor: {
        own: [],
        show: (cursor) =>
          call("GET", `/api/users/notifications?cursor=${encodeURIComponent(cursor)}`, { token: user.access }),
        statuses: [400],
      },
      "signature of a link": {
        own: ["signature of a document link"],
        show: (sig) =>
          call("GET", `${link.pathname}?exp=${link.searchParams.get("exp")}&sig=${encodeURIComponent(sig)}`),
        statuses: [404],
      },
      "expiry of a link": {
        own: [],
        show: (exp) =>
          call("GET", `${link.pathname}?exp=${encodeURIComponent(exp)}&sig=${link.searchParams.get("sig")}`),
        statuses: [404],
      },
    };
    for (const [place, { own, show, statuses }] of Object.entries(places)) {
      for (const [kind, token] of Object.entries(kinds)) {
        if (own.includes(kind)) continue;
        const { status, body } = await show(token);
        expect({ place, kind, status, success: body.success }).toEqual({
          place,
          kind,
          status: statuses[0],
          success: false,
        });
      }
    }
    expect((await call("GET", pathOf(link.href))).status).toBe(200);
    await expectAlive(user);
    const register = { identifier, verification_token: kinds.verification };
    expect((await call("POST", "/api/auth/register", { ip: newIp(), json: register })).status).toBe(201);
  });

  it("does not count as a re-authentication for a deletion", async () => {
    const { kinds, user } = await collectTokens();
    await testEnv.DB.prepare("update sessions set created_at = created_at - 3600000 where user_id = ?")
      .bind(user.userId)
      .run();
    for (const [kind, verification_token] of Object.entries(kinds)) {
      const { status, body } = await call("DELETE", "/api/auth/account", {
        token: user.access,
        json: { verification_token },
      });
      expect([kind, status, body.error?.code]).toEqual([kind, 403, "reauthentication_required"]);
    }
    await expectAlive(user);
  });
});
