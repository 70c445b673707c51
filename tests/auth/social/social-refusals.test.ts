import { decodeJwt, exportJWK, generateKeyPair, importJWK, SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { errorCatalogue } from "../../../src/platform/http/errors.ts";
import { type CallOptions, call, newIp, signUp, testEnv } from "../../support/client.ts";
import type { Host } from "../../support/internet.ts";
import {
  CLIENTS,
  type Claims,
  encode,
  fakeProviders,
  hexSha256,
  ISSUERS,
  KID,
  mint,
  type Name,
  names,
  newPerson,
  type Person,
  type Providers,
  publicJwk,
  rsa,
  signText,
  strangerRsa,
} from "../../support/openid.ts";
import { recordLog, stopTime } from "../../support/production.ts";

let clock: ReturnType<typeof stopTime>;
let providers: Providers;
beforeEach(() => {
  clock = stopTime();
  providers = fakeProviders();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const MINUTE = 60_000;
const NONCE = "the-nonce-of-the-app";
const seconds = () => Math.floor(Date.now() / 1000);

const post = (name: Name, json: object, options: CallOptions = {}) =>
  call("POST", `/api/auth/${name}/token`, { ip: newIp(), env: providers.env, ...options, json });

const rowsOf = async (sql: string, ...values: unknown[]) =>
  Number(
    (
      await testEnv.DB.prepare(`select count(*) as n from ${sql}`)
        .bind(...values)
        .first<{ n: number }>()
    )?.n,
  );

/** The number of rows in each table that a sign-in writes to. */
const footprint = async () => {
  const tables = ["users", "sessions", "social_accounts", "social_proofs", "audit_logs", "idempotency_keys"];
  return Promise.all(tables.map((table) => rowsOf(table)));
};

/** The token's subject, if it can be read. */
function subjectOf(idToken: string): string {
  try {
    return String(decodeJwt(idToken).sub);
  } catch {
    return "nobody";
  }
}

/** The fields of a sign-in with this token and otherwise valid values. */
const fields = (name: Name, id_token: string, clientId?: string) => ({
  id_token,
  nonce: NONCE,
  ...(name === "apple"
    ? {
        authorization_code: providers.issueCode("apple", {
          sub: subjectOf(id_token),
          ...(clientId ? { clientId } : {}),
        }),
      }
    : {}),
});

async function expectRefused(name: Name, json: object, status = 400, code = "social_auth_failed", options = {}) {
  const before = await footprint();
  const answer = await post(name, json, options);
  expect({ status: answer.status, code: answer.body.error?.code }, JSON.stringify(answer.body)).toEqual({
    status,
    code,
  });
  expect(Object.keys(answer.body).sort()).toEqual(["error", "request_id", "success"]);
  expect(answer.body.success).toBe(false);
  expect(Object.keys(answer.body.error).sort()).toEqual(
    code === "validation_error" ? ["code", "details", "fields", "message"] : ["code", "message"],
  );
  expect(answer.headers.get("cache-control")).toBe("no-store");
  if (status === 503) expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await footprint()).toEqual(before);
  return answer;
}

type Forge = (name: Name, person: Person, claims: Claims) => Promise<string> | string;

const other = (name: Name) => (name === "google" ? "apple" : "google");
const ec = await generateKeyPair("ES256");
const header =
  (changes: Claims): Forge =>
  (name, _, claims) =>
    mint(name, claims, { header: changes });
const claim =
  (changes: Claims | ((name: Name) => Claims)): Forge =>
  (name, _, claims) =>
    mint(name, { ...claims, ...(typeof changes === "function" ? changes(name) : changes) });
const cut = async (text: Promise<string>) => (await text).split(".") as [string, string, string];

/** Tokens that are invalid in exactly one respect. */
const forgeries: Record<string, Forge> = {
  "with a signature that was altered": async (name, _, claims) => {
    const [head, body, signature] = await cut(mint(name, claims));
    return `${head}.${body}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
  },
  "with claims that were altered": async (name, _, claims) => {
    const [head, , signature] = await cut(mint(name, claims));
    const [, body] = await cut(mint(name, { ...claims, sub: "somebody else" }));
    return `${head}.${body}.${signature}`;
  },
  "without a signature": async (name, _, claims) => (await cut(mint(name, claims))).slice(0, 2).join("."),
  "with an empty signature": async (name, _, claims) => `${(await cut(mint(name, claims))).slice(0, 2).join(".")}.`,
  "with alg none": async (name, _, claims) => {
    const [, body] = await cut(mint(name, claims));
    return `${encode(JSON.stringify({ alg: "none", kid: KID }))}.${body}.`;
  },
  "with alg None and a signature": async (name, _, claims) => {
    const [, body, signature] = await cut(mint(name, claims));
    return `${encode(JSON.stringify({ alg: "None", kid: KID }))}.${body}.${signature}`;
  },
  "signed HS256 by the public key": async (name, _, claims) =>
    mint(name, claims, { header: { alg: "HS256" }, key: new TextEncoder().encode(JSON.stringify(publicJwk)) }),
  "signed HS256 by the public key's modulus": async (name, _, claims) =>
    mint(name, claims, { header: { alg: "HS256" }, key: new TextEncoder().encode(String(publicJwk.n)) }),
  "signed by a stranger's key under the same kid": (name, _, claims) =>
    mint(name, claims, { key: strangerRsa.privateKey }),
  "signed by a stranger's key that its header contains": async (name, _, claims) =>
    mint(name, claims, {
      header: { jwk: await exportJWK(strangerRsa.publicKey), kid: undefined },
      key: strangerRsa.privateKey,
    }),
  "with a jku header": (name, _, claims) =>
    mint(name, claims, {
      header: { jku: "https://attacker.example/keys", kid: "attacker" },
      key: strangerRsa.privateKey,
    }),
  "signed ES256": (name, _, claims) => mint(name, claims, { header: { alg: "ES256" }, key: ec.privateKey }),
  "that claims to be signed PS256": async (name, _, claims) => {
    const [, body, signature] = await cut(mint(name, claims));
    return `${encode(JSON.stringify({ alg: "PS256", kid: KID }))}.${body}.${signature}`;
  },
  "with an unknown kid": header({ kid: "another-key" }),
  "with a kid that is a path": header({ kid: "../../../dev/null" }),
  "with a kid that is SQL": header({ kid: "' or 1=1 --" }),
  "with a kid of 5 KB": header({ kid: "k".repeat(5000) }),
  "with a kid that is a number": header({ kid: 1 }),
  "with a critical extension": (name, _, claims) => {
    const all = { ...claims, iss: ISSUERS[name], aud: CLIENTS[name].ios, iat: seconds(), exp: seconds() + 60 };
    return signText(JSON.stringify(all), { alg: "RS256", kid: KID, crit: ["canary"], canary: true });
  },
  "of another issuer": claim({ iss: "https://accounts.example.com" }),
  "of the other provider": claim((name) => ({ iss: ISSUERS[other(name)] })),
  "of an issuer with a slash": claim((name) => ({ iss: `${ISSUERS[name]}/` })),
  "of an issuer with http": claim((name) => ({ iss: ISSUERS[name].replace("https", "http") })),
  "without an issuer": claim({ iss: undefined }),
  "for another client": claim({ aud: "another.apps.googleusercontent.com", azp: undefined }),
  "for the other provider's client": claim((name) => ({ aud: CLIENTS[other(name)].ios, azp: undefined })),
  "without an audience": claim({ aud: undefined, azp: undefined }),
  "for an empty list of audiences": claim({ aud: [], azp: undefined }),
  "for several clients without an azp": claim((name) => ({ aud: Object.values(CLIENTS[name]), azp: undefined })),
  "for this service and a stranger": claim((name) => ({
    aud: [CLIENTS[name].ios, "stranger"],
    azp: CLIENTS[name].ios,
  })),
  "with a stranger's azp": claim({ azp: "stranger" }),
  "with another nonce": claim({ nonce: "another" }),
  "with the nonce in an object": claim({ nonce: { value: NONCE } }),
  "with an empty nonce": claim({ nonce: "" }),
  "that has expired": claim(() => ({ iat: seconds() - 300, exp: seconds() - 31 })),
  "without an expiry": claim({ exp: undefined }),
  "with an expiry that is not a number": claim({ exp: "2099-01-01" }),
  "not valid yet": claim(() => ({ nbf: seconds() + 60 })),
  "issued in the future": claim(() => ({ iat: seconds() + 31 })),
  "issued more than 10 minutes ago": claim(() => ({ iat: seconds() - 601 })),
  "issued days ago": claim(() => ({ iat: seconds() - 3 * 86_400, exp: seconds() + 3600 })),
  "issued days ago and expired": claim(() => ({ iat: seconds() - 3 * 86_400, exp: seconds() - 86_400 })),
  "without a time of issue": claim({ iat: undefined }),
  "with a time of issue that is not a number": claim(() => ({ iat: String(seconds()) })),
  "without a subject": claim({ sub: undefined }),
  "with an empty subject": claim({ sub: "" }),
  "with a subject that is a number": claim({ sub: 12345 }),
  "with a subject that is a list": claim({ sub: ["somebody"] }),
  "with a subject of 300 characters": claim({ sub: "s".repeat(300) }),
  "with a duplicate audience": (name, _, claims) => {
    const text = JSON.stringify({
      ...claims,
      iss: ISSUERS[name],
      aud: CLIENTS[name].ios,
      iat: seconds(),
      exp: seconds() + 60,
    });
    return signText(text.replace(/\}$/, ',"aud":"stranger"}'));
  },
  "with claims that are not JSON": () => signText("sub=somebody"),
  "with claims that are a list": () => signText("[]"),
  "with claims of null": () => signText("null"),
  "with a header that is not JSON": async (name, _, claims) => {
    const [, body, signature] = await cut(mint(name, claims));
    return `${encode("RS256")}.${body}.${signature}`;
  },
  "of 40 KB": claim({ padding: "x".repeat(30_000) }),
  "of five parts": () => `${encode('{"alg":"RSA-OAEP","enc":"A256GCM"}')}.a.b.c.d`,
  "of dots": () => "..",
  "of garbage": () => "canary garbage",
  "of emoji": () => "🙂.🙂.🙂",
  "replaced by an access token of this service": async () =>
    (await signUp(undefined, { ip: newIp(), env: providers.env })).access,
  "replaced by a refresh token of this service": async () =>
    (await signUp(undefined, { ip: newIp(), env: providers.env })).refresh,
};

/** Valid tokens that are too old; the app must get a new one from the SDK. */
const tooOld = [
  "that has expired",
  "issued more than 10 minutes ago",
  "issued days ago",
  "issued days ago and expired",
];

describe.each(names)("an ID token of %s", (name) => {
  it.each(Object.keys(forgeries))(
    "%s is rejected, leaves nothing behind and gets no details (ASVS 6.8.2, 10.5)",
    async (how) => {
      const person = newPerson(name);
      const claims = { ...person, nonce: await hexSha256(NONCE) };
      // The same token without the defect is accepted.
      expect((await post(name, fields(name, await mint(name, claims)))).status).toBe(200);
      const lines = recordLog();
      const token = (await forgeries[how]?.(name, person, claims)) ?? "";
      const expected = tooOld.includes(how) ? "id_token_stale" : "social_auth_failed";
      const answer = await expectRefused(name, fields(name, token), 400, expected);
      expect(answer.body.error.message).toBe(errorCatalogue[expected].message.en);
      expect(JSON.stringify(lines)).not.toContain("eyJ");
      expect(lines.some(({ code, reason }) => code === expected && reason)).toBe(true);
    },
  );

  it.each([
    ["missing", {}],
    ["empty", { id_token: "" }],
    ["null", { id_token: null }],
    ["a number", { id_token: 5 }],
    ["a list", { id_token: ["a.b.c"] }],
    ["an object", { id_token: { __proto__: null, toString: 1 } }],
    ["text with control characters", { id_token: "\u0000.\u0000.\u0000" }],
    ["text with a lone surrogate", { id_token: "\ud800.a.b" }],
  ])("is a validation error if %s", async (_, changes) => {
    const { id_token, ...rest } = fields(name, "x");
    const answer = await expectRefused(name, { ...rest, ...changes }, 400, "validation_error");
    expect(Object.keys(answer.body.error.details)).toEqual(["id_token"]);
  });

  it("is rejected for sign-in once used, and cannot be linked to another user", async () => {
    const json = await providers.nativeSignIn(name, newPerson(name));
    await post(name, json);
    clock.advance(181_000);
    const apple = name === "apple" ? { authorization_code: providers.issueCode("apple") } : {};
    await expectRefused(name, { ...json, ...apple }, 400, "id_token_stale");
    const { access: token } = await signUp(undefined, { ip: newIp(), env: providers.env });
    const second = await providers.nativeSignIn(name, newPerson(name));
    await post(name, second);
    const options = { token, env: providers.env, json: { ...second, ...apple } };
    const link = await call("POST", `/api/auth/${name}/link`, options);
    expect([link.status, link.body.error.code]).toEqual([409, "conflict"]);
  });

  it("is rejected with another nonce, and Apple's without one", async () => {
    const json = await providers.nativeSignIn(name, newPerson(name));
    await expectRefused(name, { ...json, nonce: "another-nonce" });
    await expectRefused(name, { ...json, nonce: `${json.nonce} `.repeat(2) });
    if (name === "apple") await expectRefused(name, { ...json, nonce: undefined }, 400, "validation_error");
  });

  const brokenKeys: Record<string, (advance: (milliseconds: number) => void) => Host> = {
    "are down": () => () => {
      throw new TypeError("canary: connection lost");
    },
    "return 500": () => () => new Response("canary", { status: 500 }),
    "return 404": () => () => new Response("canary", { status: 404 }),
    "are slow": (advance) => () => {
      queueMicrotask(() => advance(5000));
      return new Promise(() => {});
    },
    "begin and never end": (advance) => () => {
      queueMicrotask(() => advance(5000));
      return new Response(new ReadableStream({ start: (stream) => stream.enqueue(new TextEncoder().encode("{")) }));
    },
    "are not JSON": () => () => new Response("<html>canary</html>"),
    "are JSON of another shape": () => () => Response.json({ keys: "canary" }),
    "are a list": () => () => Response.json([publicJwk]),
    "exceed 64 KB": () => () => Response.json({ keys: [publicJwk], padding: "canary".repeat(20_000) }),
    redirect: () => () => new Response(null, { status: 302, headers: { location: "https://canary.example/" } }),
    "are empty": () => () => new Response(null, { status: 200 }),
  };

  it.each(Object.keys(brokenKeys))("gets 503 while the provider's keys %s and is accepted afterwards", async (how) => {
    const json = await providers.nativeSignIn(name, newPerson(name));
    const whole = providers.behaviour[providers.certs[name]] as Host;
    providers.behaviour[providers.certs[name]] = (brokenKeys[how] as (typeof brokenKeys)[string])(clock.advance);
    const lines = recordLog();
    await expectRefused(name, json, 503, "service_unavailable");
    expect(JSON.stringify(lines)).not.toContain("canary");
    providers.behaviour[providers.certs[name]] = whole;
    expect((await post(name, json)).status).toBe(200);
  });

  it("is verified with the provider's current keys: a replaced key is rejected, a new one accepted", async () => {
    const person = newPerson(name);
    expect((await post(name, await providers.nativeSignIn(name, person))).status).toBe(200);
    const next = { ...(await exportJWK(strangerRsa.publicKey)), kid: "next", alg: "RS256", use: "sig" };
    providers.behaviour[providers.certs[name]] = () => Response.json({ keys: [next] });
    clock.advance(61_000);
    const claims = { ...person, nonce: await hexSha256(NONCE) };
    const token = await mint(name, claims, { key: strangerRsa.privateKey, header: { kid: "next" } });
    const apple = name === "apple" ? { authorization_code: providers.issueCode("apple", { idToken: token }) } : {};
    expect((await post(name, { ...fields(name, token), ...apple })).status).toBe(200);
    await expectRefused(name, fields(name, await mint(name, claims)));
  });

  it("is accepted with RS256 only, although the key fits other algorithms (RFC 8725 section 3.1)", async () => {
    const { alg: _, use: __, ...bare } = publicJwk;
    providers.behaviour[providers.certs[name]] = () => Response.json({ keys: [bare] });
    const claims = { ...newPerson(name), nonce: await hexSha256(NONCE) };
    for (const alg of ["RS384", "RS512", "PS256", "PS384", "PS512"]) {
      const key = await importJWK({ ...(await exportJWK(rsa.privateKey)), alg });
      await expectRefused(name, fields(name, await mint(name, claims, { header: { alg }, key })));
    }
    expect((await post(name, fields(name, await mint(name, claims)))).status).toBe(200);
  });

  it("is remembered, once used, for as long as it could be accepted", async () => {
    const aheadSeconds = 30;
    const claims = { ...newPerson(name), nonce: await hexSha256(NONCE), iat: seconds() + aheadSeconds };
    const token = await mint(name, { ...claims, exp: seconds() + 3600 });
    expect((await post(name, fields(name, token))).status).toBe(200);
    const acceptedMs = (aheadSeconds + 10 * 60) * 1000;
    const remembered = "social_proofs where created_at = ? and expires_at - created_at = ?";
    expect(await rowsOf(remembered, Date.now(), acceptedMs)).toBe(1);
    clock.advance(acceptedMs - 1000);
    await expectRefused(name, fields(name, token), 400, "id_token_stale");
    const unused = await mint(name, { ...claims, ...newPerson(name), exp: seconds() + 3600 });
    expect((await post(name, fields(name, unused))).status).toBe(200);
  });

  it("with changing unknown kids makes the service fetch the keys once a minute", async () => {
    const person = newPerson(name);
    await post(name, await providers.nativeSignIn(name, person));
    expect(providers.callsTo(providers.certs[name])).toHaveLength(1);
    const flood = async () => {
      for (let i = 0; i < 30; i++) {
        const token = await mint(
          name,
          { ...person, nonce: await hexSha256(NONCE) },
          { header: { kid: `unknown-${i}` } },
        );
        expect((await post(name, fields(name, token))).status).toBe(400);
      }
    };
    await flood();
    expect(providers.callsTo(providers.certs[name])).toHaveLength(1);
    clock.advance(MINUTE);
    await flood();
    expect(providers.callsTo(providers.certs[name])).toHaveLength(2);
    expect((await post(name, await providers.nativeSignIn(name, person))).status).toBe(200);
  });

  it("without a kid is rejected if several keys match", async () => {
    const claims = { ...newPerson(name), nonce: await hexSha256(NONCE) };
    const token = await mint(name, claims, { header: { kid: undefined } });
    const another = { ...(await exportJWK(strangerRsa.publicKey)), kid: "another", alg: "RS256", use: "sig" };
    providers.behaviour[providers.certs[name]] = () => Response.json({ keys: [publicJwk, another] });
    await expectRefused(name, fields(name, token));
  });
});

describe("Apple's token endpoint", () => {
  const broken: Record<string, [status: number, (advance: (milliseconds: number) => void) => Host]> = {
    "rejects the code": [400, () => () => Response.json({ error: "invalid_grant" }, { status: 400 })],
    "rejects the request": [400, () => () => Response.json({ error: "invalid_request" }, { status: 400 })],
    "rejects the code without an error field": [400, () => () => new Response(null, { status: 400 })],
    "rejects the client credentials": [503, () => () => Response.json({ error: "invalid_client" }, { status: 400 })],
    "rejects the client credentials with 401": [
      503,
      () => () => Response.json({ error: "invalid_client" }, { status: 401 }),
    ],
    "is too busy": [503, () => () => new Response("canary", { status: 429 })],
    "answers 500": [503, () => () => new Response("canary", { status: 500 })],
    "answers 503": [503, () => () => Response.json({ error: "invalid_grant" }, { status: 503 })],
    "is down": [
      503,
      () => () => {
        throw new TypeError("canary: connection lost");
      },
    ],
    "is slow": [
      503,
      (advance) => () => {
        queueMicrotask(() => advance(5000));
        return new Promise(() => {});
      },
    ],
    "never ends": [
      503,
      (advance) => () => {
        queueMicrotask(() => advance(5000));
        return new Response(new ReadableStream({ start: (stream) => stream.enqueue(new TextEncoder().encode("{")) }));
      },
    ],
    "answers no JSON": [503, () => () => new Response("<html>canary</html>")],
    "answers JSON of another shape": [503, () => () => Response.json({ id_token: 5 })],
    "answers a refusal as success": [503, () => () => Response.json({ error: "invalid_grant" })],
    "answers more than 64 KB": [503, () => () => Response.json({ id_token: "canary".repeat(20_000) })],
    redirects: [503, () => () => new Response(null, { status: 307, headers: { location: "https://canary.example/" } })],
  };

  it.each(Object.keys(broken))(
    "%s: the sign-in fails accordingly, leaves nothing behind and can be repeated",
    async (how) => {
      const [status, behave] = broken[how] as (typeof broken)[string];
      const whole = providers.behaviour[providers.tokens.apple] as Host;
      const json = await providers.nativeSignIn("apple", newPerson("apple"));
      providers.behaviour[providers.tokens.apple] = behave(clock.advance);
      const lines = recordLog();
      await expectRefused("apple", json, status, status === 400 ? "social_auth_failed" : "service_unavailable");
      expect(JSON.stringify(lines)).not.toContain("canary");
      providers.behaviour[providers.tokens.apple] = whole;
      expect((await post("apple", json)).status).toBe(200);
    },
  );

  it("is not called for an invalid ID token", async () => {
    await expectRefused("apple", fields("apple", await mint("apple", { sub: "x" }, { key: strangerRsa.privateKey })));
    expect(providers.callsTo(providers.tokens.apple)).toHaveLength(0);
  });
});

it("rejects an empty token with another algorithm without calling the provider", async () => {
  const token = await new SignJWT({}).setProtectedHeader({ alg: "HS256" }).sign(new Uint8Array(32));
  await expectRefused("google", fields("google", token));
});
