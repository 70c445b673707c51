import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { newSecrets } from "../../scripts/secrets.ts";
import {
  type Answer,
  type CallOptions,
  call,
  newIp,
  newPhone,
  requestCode,
  type SignedIn,
  signUp,
  testEnv,
  verify,
} from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { rows } from "../support/database.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { expectRefused, me, refresh } from "../support/session-calls.ts";
import {
  describePart,
  flipBits,
  forge,
  forgeClaims,
  forgeHeaders,
  rearrange,
  type SigningJwk,
  signerOf,
} from "./jwt-corpus.ts";

beforeAll(keepSentEvents);

const clock = useClock();

const HOUR_SECONDS = 3600;
const newUser = (options: CallOptions = {}) => signUp(newPhone(), { ip: newIp(), ...options });

const [ownKey] = JSON.parse(testEnv.ACCESS_TOKEN_KEYS) as [SigningJwk];

async function expectAlive(user: SignedIn): Promise<void> {
  expect((await me(user.access)).status).toBe(200);
  expect((await refresh(user.refresh)).status).toBe(200);
}

/** The responses to the tokens that are not a plain 401. */
async function findAccepted(tokens: string[], show: (token: string) => Promise<Answer>): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const token of tokens) {
    const { status, headers, body } = await show(token);
    const is401 = status === 401 && /^Bearer/.test(headers.get("www-authenticate") ?? "");
    if (is401 && ["token_not_valid", "authentication_required"].includes(body.error?.code)) continue;
    const [header, payload] = token.split(".").map(describePart);
    found.push({ status, header, payload, code: body.error?.code });
  }
  return found;
}

describe("an access token", () => {
  it("is an EdDSA JWT of 15 minutes with the documented claims, which the published keys verify (RFC 8725)", async () => {
    const user = await newUser();
    const { body, headers } = await call("GET", "/.well-known/jwks.json");
    expect(headers.get("cache-control")).toMatch(/max-age=[1-9]/);
    expect(JSON.stringify(body)).not.toContain('"d"');
    const { payload, protectedHeader } = await jwtVerify(user.access, createLocalJWKSet(body as JSONWebKeySet), {
      issuer: testEnv.ISSUER,
      audience: testEnv.AUDIENCE,
      currentDate: new Date(),
    });
    expect(protectedHeader).toMatchObject({ alg: "EdDSA", kid: expect.stringMatching(/./) });
    const [session] = await rows("select id from sessions where user_id = ?", user.userId);
    const now = Math.floor(Date.now() / 1000);
    expect(payload).toEqual({
      iss: testEnv.ISSUER,
      aud: testEnv.AUDIENCE,
      sub: user.userId,
      user_id: user.userId,
      sid: session?.id,
      jti: expect.stringMatching(/./),
      iat: now,
      exp: now + 900,
      token_type: "access",
    });
    const other = await refresh(user.refresh);
    expect(decodeJwt(other.body.access).jti).not.toBe(payload.jti);
  });

  it("expires after 15 minutes, and the response says so", async () => {
    const user = await newUser();
    clock.advance(899_000);
    expect((await me(user.access)).status).toBe(200);
    clock.advance(32_000);
    const late = await me(user.access);
    expectRefused(late);
    expect(late.body.error.message).toMatch(/expired/i);
    expect((await me(`${user.access}x`)).body.error.message).toMatch(/invalid/i);
  });

  it("is accepted only as Authorization: Bearer", async () => {
    const { access } = await newUser();
    const inQuery = await call("GET", `/api/auth/me?access_token=${access}&token=${access}`);
    const attempts = [inQuery, await call("GET", "/api/auth/me", { headers: { cookie: `access_token=${access}` } })];
    for (const authorization of [
      access,
      "Bearer",
      "Bearer ",
      `Basic ${access}`,
      `Token ${access}`,
      `Bearer ${access} x`,
    ]) {
      attempts.push(await call("GET", "/api/auth/me", { headers: { authorization } }));
    }
    for (const { status, headers, body } of attempts) {
      expect([status, body.error.code]).toEqual([401, "authentication_required"]);
      expect(headers.get("www-authenticate")).toMatch(/^Bearer/);
    }
  });

  it("gets 401, never 500, if altered or forged in any of several hundred ways (ASVS 9.1.1-9.2.4, RFC 8725)", async () => {
    const [user, stranger] = [await newUser(), await newUser()];
    const [header, claims] = [{ ...decodeProtectedHeader(user.access) }, { ...decodeJwt(user.access) }];
    const own = await signerOf(ownKey);
    expect((await me(await forge(own, header, claims))).status).toBe(200);
    const [mine, theirs] = [user.access.split("."), stranger.access.split(".")];
    const corpus = [
      ...(await forgeHeaders(ownKey, header, claims)),
      ...(await forgeClaims(own, header, claims, { ...decodeJwt(stranger.access) })),
      ...rearrange(user.access),
      ...flipBits(user.access, 120),
      `${mine[0]}.${theirs[1]}.${mine[2]}`,
      `${mine[0]}.${mine[1]}.${theirs[2]}`,
    ];
    expect(corpus.length).toBeGreaterThan(400);
    expect(await findAccepted(corpus, me)).toEqual([]);
    await expectAlive(user);
    await expectAlive(stranger);
  });

  it.each([60, 365 * 24 * 60])("is rejected if issued %i minutes in the future", async (minutes) => {
    const user = await newUser();
    const claims = decodeJwt(user.access);
    const shift = minutes * 60;
    const times = { iat: Number(claims.iat) + shift, exp: Number(claims.exp) + shift };
    expectRefused(
      await me(await forge(await signerOf(ownKey), decodeProtectedHeader(user.access), { ...claims, ...times })),
    );
  });

  it("gets 401 once its user was deleted or staff ended the sessions with a ban (ASVS 7.4.2, RFC 8725 section 3.8)", async () => {
    const [deleted, banned] = [await newUser(), await newUser()];
    await rows("delete from users where id = ?", deleted.userId);
    await rows("update users set status = 'BANNED', status_reason = 'staff' where id = ?", banned.userId);
    await rows(
      "update sessions set revoked_at = ?, revoked_reason = 'ban' where user_id = ?",
      Date.now(),
      banned.userId,
    );
    for (const user of [deleted, banned]) {
      for (const [method, path] of [
        ["GET", "me"],
        ["GET", "sessions"],
        ["DELETE", "sessions"],
      ] as const) {
        expectRefused(await call(method, `/api/auth/${path}`, { token: user.access }));
      }
      expectRefused(await refresh(user.refresh));
    }
  });

  it("is rejected if made for another audience or by another issuer (ASVS 9.2.3)", async () => {
    for (const env of [
      { AUDIENCE: "users-api-staging" },
      { ISSUER: "https://staging.example.com" },
    ] as unknown as Partial<Env>[]) {
      const user = await newUser({ env });
      expect((await me(user.access, { env })).status).toBe(200);
      expectRefused(await me(user.access));
      expectRefused(await refresh(user.refresh));
    }
  });
});

describe("a refresh token", () => {
  it("keeps the order of its header fields and claims, because a lost one is minted again", async () => {
    const { refresh: token } = await newUser();
    // The claims, in the order that they have in the token.
    expect([decodeProtectedHeader(token), decodeJwt(token)].map(Object.keys)).toEqual([
      ["alg", "kid", "typ"],
      ["user_id", "sid", "token_type", "counter", "iss", "aud", "sub", "jti", "iat", "exp"],
    ]);
  });

  it("gets 401, never 500, and ends no session if altered or forged (RFC 8725)", async () => {
    const user = await newUser();
    const [header, claims] = [{ ...decodeProtectedHeader(user.refresh) }, { ...decodeJwt(user.refresh) }];
    const corpus = [
      ...(await forgeHeaders(ownKey, header, claims)),
      ...rearrange(user.refresh),
      ...flipBits(user.refresh, 80),
    ];
    expect(corpus.length).toBeGreaterThan(200);
    expect(
      await findAccepted(
        corpus.filter((token) => token.length <= 4096),
        refresh,
      ),
    ).toEqual([]);
    await expectAlive(user);
    expect(
      await rows("select 1 from recorded_events where user_id = ? and type = 'auth.refresh_reuse'", user.userId),
    ).toEqual([]);
  });
});

it("every kind of token is rejected where another kind is expected (ASVS 9.2.2, RFC 8725 section 3.11)", async () => {
  const user = await newUser();
  const identifier = newPhone();
  const verification = await verify(identifier, { ip: newIp() });
  const logout = (refresh_token: string) =>
    call("POST", "/api/auth/logout", { token: user.access, json: { refresh_token } });
  for (const token of [user.refresh, verification]) expectRefused(await me(token));
  for (const token of [user.access, verification]) {
    expectRefused(await refresh(token));
    expectRefused(await logout(token));
  }
  for (const verification_token of [user.access, user.refresh]) {
    for (const step of ["register", "login"]) {
      for (const whose of [identifier, user.identifier]) {
        const json = { identifier: whose, verification_token };
        const answer = await call("POST", `/api/auth/${step}`, { ip: newIp(), json });
        expect([answer.status, answer.body.success]).toEqual([400, false]);
      }
    }
  }
  await expectAlive(user);
  const json = { identifier, verification_token: verification };
  expect((await call("POST", "/api/auth/register", { json })).status).toBe(201);
});

it.each(["register", "login"])(
  "%s returns invalid_token for anything but a verification token and does not query D1",
  async (step) => {
    const user = await newUser();
    const identifier = newPhone();
    const genuine = await verify(identifier, { ip: newIp() });
    const [id = "", proof = ""] = genuine.split(".");
    const [, othersProof = ""] = (await verify(newPhone(), { ip: newIp() })).split(".");
    const forged = [
      ...["x", "x".repeat(43), "0", "' OR 1=1", ".", "..", user.access, user.refresh],
      ...[id, proof, `${proof}.${id}`, `${id}.${othersProof}`, `${id}..${proof}`, `${genuine}.`, `${genuine}=`],
      ...[`${id}.${"A".repeat(43)}`, `${"A".repeat(22)}.${proof}`, `${id}.${proof.slice(1)}A`],
      ...[`${genuine}x`, genuine.replace(".", "\u2024"), genuine.toUpperCase()],
    ];
    const DB = new Proxy(testEnv.DB, {
      get: () => {
        throw new Error("D1 was asked");
      },
    });
    for (const verification_token of forged) {
      const json = { identifier, verification_token };
      const answer = await call("POST", `/api/auth/${step}`, { json, env: { DB } });
      expect([answer.status, answer.body.error.code], verification_token).toEqual([400, "invalid_token"]);
    }
    const unfit = { identifier, verification_token: `${id}\u0000.${proof}` };
    const refused = await call("POST", `/api/auth/${step}`, { json: unfit, env: { DB } });
    expect(refused.body.error.fields).toEqual({ verification_token: [{ code: "control_characters" }] });
    const json = { identifier, verification_token: genuine };
    const answer = await call("POST", `/api/auth/${step}`, { json });
    expect(answer.status).toBe(step === "register" ? 201 : 404);
  },
);

it.each(["register", "login"])("%s reports a reused Idempotency-Key even with an invalid token", async (step) => {
  const { identifier } = await newUser();
  clock.advance(61_000);
  const by = step === "register" ? newPhone() : identifier;
  const headers = { "idempotency-key": crypto.randomUUID() };
  const verification_token = await verify(by, { ip: newIp() });
  const first = await call("POST", `/api/auth/${step}`, { headers, json: { identifier: by, verification_token } });
  expect(first.status).toBe(step === "register" ? 201 : 200);
  const forged = { identifier: by, verification_token: "x" };
  const refusals = await Promise.all([
    call("POST", `/api/auth/${step}`, { headers, json: forged }),
    call("POST", `/api/auth/${step}`, { headers: { "idempotency-key": crypto.randomUUID() }, json: forged }),
  ]);
  expect(refusals.map(({ body }) => body.error.code)).toEqual(["idempotency_key_reused", "invalid_token"]);
});

describe("a change of keys (ASVS 13.3.4)", () => {
  type Keys = { ACCESS_TOKEN_KEYS: string; TOKEN_SECRETS: string };
  const oldKeys: Keys = testEnv;
  const newKeys: Keys = newSecrets();
  const { d: _, ...oldPublicKey } = ownKey;
  const both: CallOptions = {
    env: {
      ACCESS_TOKEN_KEYS: JSON.stringify([...JSON.parse(newKeys.ACCESS_TOKEN_KEYS), oldPublicKey]),
      TOKEN_SECRETS: JSON.stringify([...JSON.parse(newKeys.TOKEN_SECRETS), ...JSON.parse(oldKeys.TOKEN_SECRETS)]),
    },
  };
  const onlyNew: CallOptions = {
    env: { ACCESS_TOKEN_KEYS: newKeys.ACCESS_TOKEN_KEYS, TOKEN_SECRETS: newKeys.TOKEN_SECRETS },
  };

  it("keeps everybody signed in while the old keys are configured second, and signs with the new ones", async () => {
    const user = await newUser();
    expect((await me(user.access, both)).status).toBe(200);
    const renewed = await refresh(user.refresh, both);
    expect(renewed.status).toBe(200);
    for (const [now, before] of [
      [renewed.body.access, user.access],
      [renewed.body.refresh, user.refresh],
    ]) {
      expect(decodeProtectedHeader(now).kid).not.toBe(decodeProtectedHeader(before).kid);
    }
    expect((await refresh(user.refresh, both)).body.refresh).toBe(renewed.body.refresh);
    const { keys } = (await call("GET", "/.well-known/jwks.json", both)).body;
    expect(keys.map(({ kid }: { kid: string }) => kid)).toContain(ownKey.kid);
    await jwtVerify(renewed.body.access, createLocalJWKSet({ keys }), { currentDate: new Date() });
    expect((await me(renewed.body.access, onlyNew)).status).toBe(200);
    expect((await refresh(renewed.body.refresh, onlyNew)).status).toBe(200);
  });

  it("leaves earlier responses repeatable, byte for byte", async () => {
    const identifier = newPhone();
    const json = { identifier, verification_token: await verify(identifier, { ip: newIp() }) };
    const first = await call("POST", "/api/auth/register", { json });
    const repeat = await call("POST", "/api/auth/register", { ...both, json });
    expect([repeat.status, repeat.body.data?.refresh_token]).toEqual([201, first.body.data.refresh_token]);
    const headers = { "idempotency-key": crypto.randomUUID() };
    const successor = (await refresh(first.body.data.refresh_token, { headers })).body.refresh;
    clock.advance(119_000);
    expect((await refresh(first.body.data.refresh_token, both)).body.refresh).toBe(successor);
    clock.advance(HOUR_SECONDS * 1000);
    expect((await refresh(first.body.data.refresh_token, { ...both, headers })).body.refresh).toBe(successor);
    expect((await refresh(successor, both)).status).toBe(200);
  });

  it("leaves codes and verification tokens issued before it valid", async () => {
    const identifier = newPhone();
    const otp = await requestCode(identifier, { ip: newIp() });
    const verified = await call("POST", "/api/auth/otp/verify", { ...both, json: { identifier, otp } });
    expect(verified.status).toBe(200);
    const other = newPhone();
    const verification_token = await verify(other, { ip: newIp() });
    const answer = await call("POST", "/api/auth/register", {
      ...both,
      json: { identifier: other, verification_token },
    });
    expect(answer.status).toBe(201);
  });

  it("rejects access and refresh tokens that a retired key signed", async () => {
    const user = await newUser();
    expectRefused(await me(user.access, onlyNew));
    expectRefused(await refresh(user.refresh, onlyNew));
    await expectAlive(user);
  });
});
