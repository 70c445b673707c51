import { describe, expect, it } from "vitest";
import { type CallOptions, call, newIp, newPhone, readCode, testEnv, verify } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { countOf, rows } from "../../support/database.ts";
import { me, refresh } from "../../support/session-calls.ts";

const clock = useClock();

const proven = new Set<string>();
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

interface Proof {
  identifier: string;
  verification_token: string;
}

/** Verifies the identifier; for a second code it first waits the required time. */
async function prove(identifier = newPhone()): Promise<Proof> {
  if (proven.has(identifier)) clock.advance(2 * MINUTE);
  proven.add(identifier);
  return { identifier, verification_token: await verify(identifier, { ip: newIp() }) };
}
const register = (json: object, options: CallOptions = {}) =>
  call("POST", "/api/auth/register", { ip: newIp(), ...options, json });
const login = (json: object, options: CallOptions = {}) =>
  call("POST", "/api/auth/login", { ip: newIp(), ...options, json });

async function newUser(extra: object = {}, identifier = newPhone()) {
  const answer = await register({ ...(await prove(identifier)), ...extra });
  expect(answer.status).toBe(201);
  return { identifier, ...answer.body.data };
}

const steps = ["register", "login"] as const;

describe.each(steps)("the verification token at %s", (step) => {
  const take = (json: object, options?: CallOptions) => (step === "register" ? register : login)(json, options);
  const proveFor = async () => prove(step === "login" ? (await newUser()).identifier : newPhone());
  const success = step === "register" ? 201 : 200;
  const refusal = (answer: { status: number; body: { error?: { code: string } } }) => [
    answer.status,
    answer.body.error?.code,
  ];

  it("is valid for 10 minutes", async () => {
    const early = await proveFor();
    clock.advance(10 * MINUTE - 1000);
    expect((await take(early)).status).toBe(success);
    const late = await proveFor();
    clock.advance(10 * MINUTE + 1000);
    expect(refusal(await take(late))).toEqual([400, "invalid_token"]);
  });

  it("is refused for another identifier and stays valid (ASVS 6.4.1)", async () => {
    const [mine, theirs] = [await proveFor(), await proveFor()];
    const stolen = { identifier: mine.identifier, verification_token: theirs.verification_token };
    expect(refusal(await take(stolen))).toEqual([400, "invalid_token"]);
    expect((await take(theirs)).status).toBe(success);
    expect((await take(mine)).status).toBe(success);
  });

  it("returns the same session if repeated within 180 seconds and is invalid afterwards", async () => {
    const proof = await proveFor();
    const first = await take(proof);
    clock.advance(179_000);
    const again = await take(proof, { headers: { "user-agent": "another" } });
    expect(again.status).toBe(success);
    expect(again.body.data.refresh_token).toBe(first.body.data.refresh_token);
    expect(again.body.data.user).toEqual(first.body.data.user);
    expect((await me(again.body.data.access_token)).status).toBe(200);
    expect(await countOf("sessions", first.body.data.user_id, "revoked_at is null")).toBe(step === "login" ? 2 : 1);
    expect(await countOf("audit_logs", first.body.data.user_id)).toBe(step === "login" ? 2 : 1);
    clock.advance(2000);
    expect(refusal(await take(proof))).toEqual([400, "invalid_token"]);
  });

  it("opens one session when used by parallel calls (ASVS 2.3.4)", async () => {
    const proof = await proveFor();
    const answers = await Promise.all(Array.from({ length: 20 }, () => take(proof)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(success));
    expect(new Set(answers.map(({ body }) => body.data.refresh_token)).size).toBe(1);
    const { user_id } = answers[0]?.body.data ?? {};
    expect(await countOf("sessions", user_id)).toBe(step === "login" ? 2 : 1);
    expect(await countOf("audit_logs", user_id)).toBe(step === "login" ? 2 : 1);
  });

  it.each([
    ["was rotated", (data: { refresh_token: string }) => refresh(data.refresh_token)],
    [
      "has ended",
      (data: { access_token: string; refresh_token: string }) =>
        call("POST", "/api/auth/logout", { token: data.access_token, json: { refresh_token: data.refresh_token } }),
    ],
  ])("is invalid once its session %s, with or without an Idempotency-Key", async (_, act) => {
    const proof = await proveFor();
    const headers = { "idempotency-key": crypto.randomUUID() };
    const first = await take(proof, { headers });
    expect((await act(first.body.data)).status).toBe(200);
    expect(refusal(await take(proof))).toEqual([400, "invalid_token"]);
    expect(refusal(await take(proof, { headers }))).toEqual([400, "invalid_token"]);
  });

  it("with an Idempotency-Key returns the same response for 24 hours, however the body is encoded", async () => {
    const proof = await proveFor();
    const key = crypto.randomUUID();
    const headers = { "idempotency-key": key };
    const first = await take(proof, { headers });
    clock.advance(DAY - 1000);
    const form = { verification_token: proof.verification_token, identifier: proof.identifier };
    const again = await call("POST", `/api/auth/${step}`, { ip: newIp(), headers, form });
    expect(again.status).toBe(success);
    expect(again.body.data.refresh_token).toBe(first.body.data.refresh_token);
    expect(again.body.data.user).toEqual(first.body.data.user);
    expect((await me(again.body.data.access_token)).status).toBe(200);
    const kept = JSON.stringify(await rows("select * from idempotency_keys"));
    for (const secret of [key, proof.verification_token, first.body.data.refresh_token])
      expect(kept).not.toContain(secret);
    clock.advance(2000);
    expect(refusal(await take(proof, { headers }))).toEqual([400, "invalid_token"]);
  });

  it("with an Idempotency-Key returns the same response for a body that parses to the same values", async () => {
    const { identifier, verification_token } = await proveFor();
    const headers = { "idempotency-key": crypto.randomUUID() };
    const named = step === "register" ? { referral_code: " refabc123 ", username: null } : {};
    const first = await take({ identifier, verification_token, ...named }, { headers });
    expect(first.status).toBe(success);
    const code = step === "register" ? { referral_code: "REFABC123" } : {};
    const options = { ip: newIp(), headers };
    const alike: CallOptions[] = [
      { json: { verification_token, identifier, ...code } },
      { json: { identifier: ` ${identifier.slice(4)} `, verification_token: `${verification_token} `, ...code } },
      { json: { identifier: `00${identifier.slice(1)}`, verification_token, username: "", ...code, is_staff: true } },
      { form: { identifier, username: "", verification_token, ...code, extra: "1" } },
      { multipart: { verification_token, identifier: `tel:${identifier}`, ...code } },
    ];
    for (const body of alike) {
      const again = await call("POST", `/api/auth/${step}`, { ...options, ...body });
      expect([again.status, again.body.data?.refresh_token], JSON.stringify(body)).toEqual([
        success,
        first.body.data.refresh_token,
      ]);
    }
    if (step === "login") return;
    const other = await take({ identifier, verification_token, referral_code: "REFABC124" }, { headers });
    expect(refusal(other)).toEqual([409, "idempotency_key_reused"]);
  });

  it("with an Idempotency-Key that is bound to another body gets 409 and stays valid", async () => {
    const proof = await proveFor();
    const headers = { "idempotency-key": crypto.randomUUID() };
    expect((await take(proof, { headers })).status).toBe(success);
    clock.advance(3 * MINUTE);
    const next = await prove(proof.identifier);
    expect(refusal(await take(next, { headers }))).toEqual([409, "idempotency_key_reused"]);
    expect((await login(next)).status).toBe(200);
    expect((await take(await proveFor(), { headers })).status).toBe(success);
  });

  it("stays valid while the database is down; the 503, never a 4xx, binds no key (ASVS 16.5.2)", async () => {
    const proof = await proveFor();
    const headers = { "idempotency-key": crypto.randomUUID() };
    const DB = new Proxy(testEnv.DB, {
      get: (db, name) =>
        name === "batch" ? () => Promise.reject(new Error("D1_ERROR: secret detail")) : Reflect.get(db, name).bind(db),
    });
    const down = await take(proof, { headers, env: { DB } });
    expect(refusal(down)).toEqual([503, "service_unavailable"]);
    expect(Number(down.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(JSON.stringify(down.body)).not.toContain("secret detail");
    expect((await take(proof, { headers })).status).toBe(success);
  });

  it("returns its session even if the database's response was lost after the commit", async () => {
    const proof = await proveFor();
    let lost = 0;
    const batch = async (statements: D1PreparedStatement[]) => {
      const results = await testEnv.DB.batch(statements);
      if (lost++ === 0) throw new Error("D1_ERROR: network connection lost");
      return results;
    };
    const DB = new Proxy(testEnv.DB, {
      get: (db, name) => (name === "batch" ? batch : Reflect.get(db, name).bind(db)),
    });
    const answer = await take(proof, { env: { DB } });
    expect(lost).toBeGreaterThan(0);
    expect(answer.status).toBe(success);
    expect((await me(answer.body.data.access_token)).status).toBe(200);
    expect(await countOf("audit_logs", answer.body.data.user_id)).toBe(step === "login" ? 2 : 1);
  });
});

it("only a 2xx response binds an Idempotency-Key", async () => {
  const taken = (await newUser()).user.username;
  const proof = await prove();
  const headers = { "idempotency-key": crypto.randomUUID() };
  expect((await register({ ...proof, username: taken }, { headers })).status).toBe(409);
  expect((await register({ ...proof, username: `${taken}x` }, { headers })).status).toBe(201);
});

it("an Idempotency-Key of otp/request and otp/verify matches bodies that differ only in spelling", async () => {
  const ip = newIp();
  const identifier = newPhone();
  const bodies = (extra: Record<string, string> = {}): CallOptions[] => [
    { json: { identifier, ...extra } },
    { json: { ...extra, purpose: null, identifier: identifier.slice(4) } },
    { form: { purpose: "", identifier: `00${identifier.slice(1)}`, ...extra } },
    { multipart: { identifier: ` ${identifier}`, ...extra } },
  ];
  const sent = { ip, headers: { "idempotency-key": crypto.randomUUID() } };
  for (const body of bodies())
    expect((await call("POST", "/api/auth/otp/request", { ...sent, ...body })).status, JSON.stringify(body)).toBe(200);
  const changed = await call("POST", "/api/auth/otp/request", { ...sent, json: { identifier, purpose: "LOGIN" } });
  expect([changed.status, changed.body.error.code]).toEqual([409, "idempotency_key_reused"]);

  const otp = await readCode(identifier);
  const tried = { ip, headers: { "idempotency-key": crypto.randomUUID() } };
  const tokens = new Set();
  for (const body of [...bodies({ otp }), ...bodies({ otp: `${otp.slice(0, 3)} ${otp.slice(3)}` })]) {
    const answer = await call("POST", "/api/auth/otp/verify", { ...tried, ...body });
    expect(answer.status, JSON.stringify(body)).toBe(200);
    tokens.add(answer.body.data.verification_token);
  }
  expect(tokens.size).toBe(1);
});

it("an Idempotency-Key of refresh matches the same token under either field name", async () => {
  const { refresh_token } = await newUser();
  const options = { headers: { "idempotency-key": crypto.randomUUID() } };
  const bodies: CallOptions[] = [
    { json: { refresh: refresh_token } },
    { json: { refresh_token, refresh: null } },
    { form: { refresh_token, refresh: "" } },
    { json: { refresh: ` ${refresh_token} ` } },
  ];
  const successors = new Set();
  for (const body of bodies) {
    const answer = await call("POST", "/api/auth/refresh", { ...options, ...body });
    expect(answer.status, JSON.stringify(body)).toBe(200);
    successors.add(answer.body.refresh);
  }
  expect(successors.size).toBe(1);
});
