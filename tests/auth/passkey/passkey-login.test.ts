import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Authenticator } from "../../support/authenticator.ts";
import { call, newIp, type SignedIn, signUp, testEnv } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { rows, run } from "../../support/database.ts";
import { FINGERPRINT } from "../../support/passkey-vars.ts";
import { addPasskey, expectError, logInWith, ownOptions, signInBy, signInOptions } from "../../support/passkeys.ts";
import { productionEnv, recordLog } from "../../support/production.ts";
import { keepSentEvents } from "../../support/recorded-events.ts";
import { logout, me, refresh } from "../../support/session-calls.ts";
import { auditOf, eventsOf } from "../../support/staff.ts";

beforeAll(keepSentEvents);

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const MINUTE_MS = 60_000;

async function withPasskey(made: Parameters<typeof Authenticator.create>[0] = {}) {
  const person = await signUp(undefined, { ip: newIp() });
  return { person, ...(await addPasskey(person, made)) };
}

const sessionOf = async ({ userId }: SignedIn) => {
  const found = await rows<{ id: string; method: string; passkey_id: string; passkey_at: number; revoked_at: number }>(
    "select * from sessions where user_id = ? order by id desc",
    userId,
  );
  return found[0];
};

describe("Options of a sign-in with a passkey", () => {
  test("differ between two strangers in their challenge alone, name no account, and need no database", async () => {
    const broken = { prepare: () => Promise.reject(new Error("no D1")) } as unknown as D1Database;
    const [one, two] = await Promise.all([signInOptions({ env: { DB: broken } }), signInOptions()]);
    expect({ ...one, challenge: "" }).toEqual({ ...two, challenge: "" });
    expect(one.challenge).not.toBe(two.challenge);
    expect(one).toMatchObject({ rpId: "powerbank.example", userVerification: "required", allowCredentials: [] });
    // 54 bytes, of which 16 are random.
    expect(one.challenge).toMatch(/^[\w-]{72}$/);
  });

  test("are 404 where passkeys are not offered, as is the sign-in", async () => {
    const none = { PASSKEY_RP_ID: "", PASSKEY_ORIGINS: "", PASSKEY_IOS_APPS: "", PASSKEY_ANDROID_APPS: "" };
    const env = { ...none, STAFF_PASSKEYS: "" } as unknown as Partial<Env>;
    expectError(await call("POST", "/api/auth/passkey/options", { env }), 404, "not_found");
    const credential = await (await Authenticator.create()).assert({ challenge: "x" });
    expectError(await logInWith(credential, { env }), 404, "not_found");
  });
});

describe("A sign-in with a passkey", () => {
  test.each([
    ["ES256", true],
    ["ES256", false],
    ["EdDSA", true],
    ["RS256", true],
  ] as const)("opens a session that the passkey proves (%s, synced: %s)", async (algorithm, isSynced) => {
    const { person, authenticator, passkey } = await withPasskey({ algorithm, isSynced });
    const answer = await logInWith(await authenticator.assert(await signInOptions()));
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.body.data).toMatchObject({ user_id: person.userId, token_type: "Bearer", referral_applied: false });
    expect((await me(answer.body.data.access_token)).status).toBe(200);
    expect(await sessionOf(person)).toMatchObject({ method: "PASSKEY", passkey_id: passkey.id });
    const [audit] = (await auditOf(person.userId, "LOGIN")).slice(-1);
    expect(JSON.parse(audit?.new_values ?? "{}")).toMatchObject({ method: "PASSKEY" });
    expect((await refresh(answer.body.data.refresh_token)).status).toBe(200);
  });

  test("takes JSON text as Android sends it, and forms", async () => {
    const { authenticator } = await withPasskey();
    const text = async () => JSON.stringify(await authenticator.assert(await signInOptions()));
    const inJson = await call("POST", "/api/auth/passkey/login", { json: { credential: await text() } });
    const inForm = await call("POST", "/api/auth/passkey/login", { form: { credential: await text() } });
    expect([inJson.status, inForm.status]).toEqual([200, 200]);
  });

  test("accepts the pages and apps of the configuration and no other origin", async () => {
    const { authenticator } = await withPasskey();
    const from = async (origin: string) =>
      (await logInWith(await authenticator.assert(await signInOptions(), { origin }))).status;
    const bytes = FINGERPRINT.split(":").map((byte) => Number.parseInt(byte, 16));
    const standard = btoa(String.fromCharCode(...bytes)).replaceAll("=", "");
    const app = (hash: string) => `android:apk-key-hash:${hash}`;
    const url = standard.replaceAll("+", "-").replaceAll("/", "_");
    const known = [
      "https://powerbank.example",
      "https://dashboard.powerbank.example",
      "https://powerbank-staff.example",
    ];
    for (const origin of [...known, app(standard), app(url)])
      expect([origin, await from(origin)]).toEqual([origin, 200]);
    const unknown = [
      "http://powerbank.example",
      "https://evil.powerbank.example",
      "https://powerbank.example:444",
      "null",
      "",
    ];
    for (const origin of [...unknown, `${known[0]}/`, app("x")])
      expect([origin, await from(origin)]).toEqual([origin, 400]);
  });

  test("reports a new network once and remembers it", async () => {
    const { person, authenticator } = await withPasskey();
    const ip = newIp();
    await signInBy(authenticator, { ip });
    await signInBy(authenticator, { ip });
    expect(await eventsOf(person.userId, "auth.new_device")).toHaveLength(1);
  });

  test("reactivates an inactive account; refuses one that staff closed and leaves the challenge unused", async () => {
    const { person, authenticator } = await withPasskey();
    const credential = await authenticator.assert(await signInOptions());
    for (const [status, reason] of [
      ["INACTIVE", "staff"],
      ["BANNED", "staff"],
    ]) {
      await run("update users set status = ?, status_reason = ? where id = ?", status, reason, person.userId);
      expectError(await logInWith(credential), 403, "account_inactive");
    }
    await run("update users set status = 'INACTIVE', status_reason = 'inactivity' where id = ?", person.userId);
    expect((await logInWith(credential)).status).toBe(200);
    expect(await rows("select status from users where id = ?", person.userId)).toEqual([{ status: "ACTIVE" }]);
  });

  test("with an unknown passkey is passkey_unknown", async () => {
    const stranger = await Authenticator.create();
    expectError(await logInWith(await stranger.assert(await signInOptions())), 400, "passkey_unknown");
  });
});

describe("A challenge", () => {
  test("is good for ten minutes", async () => {
    const { authenticator } = await withPasskey();
    const clock = stopClock();
    const credentials = [
      await authenticator.assert(await signInOptions()),
      await authenticator.assert(await signInOptions()),
    ];
    clock.advance(10 * MINUTE_MS - 1);
    expect((await logInWith(credentials[0])).status).toBe(200);
    clock.advance(1);
    expectError(await logInWith(credentials[1]), 400, "passkey_failed");
  });

  test("signs in once: twenty calls at once get one session, and calls after three minutes none", async () => {
    const { person, authenticator } = await withPasskey();
    const before = await rows("select id from sessions where user_id = ?", person.userId);
    const clock = stopClock();
    const credential = await authenticator.assert(await signInOptions());
    const answers = await Promise.all(Array.from({ length: 20 }, () => logInWith(credential)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(new Set(answers.map(({ body }) => body.data.refresh_token)).size).toBe(1);
    expect(await rows("select id from sessions where user_id = ?", person.userId)).toHaveLength(before.length + 1);
    clock.advance(3 * MINUTE_MS - 1);
    expect((await logInWith(credential)).status).toBe(200);
    clock.advance(1);
    expectError(await logInWith(credential), 400, "passkey_failed");
  });

  test("used in its last millisecond gives the same session for three minutes more, and signs nobody in after its end", async () => {
    const { person, authenticator } = await withPasskey();
    const clock = stopClock();
    const credential = await authenticator.assert(await signInOptions());
    const unused = await authenticator.assert(await signInOptions());
    clock.advance(10 * MINUTE_MS - 1);
    const first = await logInWith(credential);
    clock.advance(3 * MINUTE_MS - 1);
    const again = await logInWith(credential);
    expect([again.status, again.body.data?.refresh_token]).toEqual([200, first.body.data.refresh_token]);
    expectError(await logInWith(unused), 400, "passkey_failed");
    clock.advance(1);
    expectError(await logInWith(credential), 400, "passkey_failed");
    expect(await eventsOf(person.userId, "auth.passkey_suspect")).toEqual([]);
  });

  test("does not return its session again once the session was refreshed or has ended", async () => {
    const { authenticator } = await withPasskey();
    for (const isEnded of [false, true]) {
      const credential = await authenticator.assert(await signInOptions());
      const { access_token, refresh_token } = (await logInWith(credential)).body.data;
      const changed = isEnded ? await logout(access_token, refresh_token) : await refresh(refresh_token);
      expect(changed.status).toBe(200);
      expectError(await logInWith(credential), 400, "passkey_failed");
    }
  });

  test("that is altered, invented, of another purpose or signed with another secret is refused", async () => {
    const { person, authenticator } = await withPasskey();
    const forged = await signInOptions();
    const challenges = [
      (await ownOptions(person, "PROOF")).challenge,
      (await ownOptions(person, "REGISTER")).challenge,
      `${forged.challenge.slice(0, -1)}${forged.challenge.endsWith("A") ? "B" : "A"}`,
      "",
      "x".repeat(72),
    ];
    for (const challenge of challenges) {
      expectError(await logInWith(await authenticator.assert({ challenge })), 400, "passkey_failed");
    }
    const env = { TOKEN_SECRETS: JSON.stringify([{ kid: "new", secret: testEnv.LOOKUP_SECRET }]) } as never;
    expectError(await logInWith(await authenticator.assert(await signInOptions({ env }))), 400, "passkey_failed");
  });

  test("still signs in after its secret was rotated", async () => {
    const { authenticator } = await withPasskey();
    const [old] = JSON.parse(testEnv.TOKEN_SECRETS) as [{ kid: string; secret: string }];
    const rotated = JSON.stringify([{ kid: "new", secret: testEnv.LOOKUP_SECRET }, old]);
    const credential = await authenticator.assert(await signInOptions());
    expect((await logInWith(credential, { env: { TOKEN_SECRETS: rotated } as never })).status).toBe(200);
  });
});

describe("An Idempotency-Key", () => {
  const key = () => ({ "idempotency-key": crypto.randomUUID() });

  test("repeats a sign-in for a day, also when the challenge has expired", async () => {
    const { authenticator } = await withPasskey();
    const clock = stopClock();
    const headers = key();
    const credential = await authenticator.assert(await signInOptions());
    const first = await logInWith(credential, { headers });
    clock.advance(23 * 60 * MINUTE_MS);
    const again = await logInWith(credential, { headers });
    expect([again.status, again.body.data?.refresh_token]).toEqual([200, first.body.data.refresh_token]);
    clock.advance(60 * MINUTE_MS);
    expectError(await logInWith(credential, { headers }), 400, "passkey_failed");
  });

  test("repeats a sign-in for a day after the challenge was used, not after it was issued", async () => {
    const { authenticator } = await withPasskey();
    const clock = stopClock();
    const headers = key();
    const credential = await authenticator.assert(await signInOptions());
    clock.advance(10 * MINUTE_MS - 1);
    const first = await logInWith(credential, { headers });
    clock.advance(24 * 60 * MINUTE_MS - 1);
    const again = await logInWith(credential, { headers });
    expect([again.status, again.body.data?.refresh_token]).toEqual([200, first.body.data.refresh_token]);
    clock.advance(1);
    expectError(await logInWith(credential, { headers }), 400, "passkey_failed");
  });

  test("does not revive an expired challenge that was never used, and the log names the challenge as the reason", async () => {
    const { authenticator } = await withPasskey({ isSynced: false });
    const clock = stopClock();
    const credential = await authenticator.assert(await signInOptions());
    clock.advance(10 * MINUTE_MS);
    const lines = recordLog();
    expectError(await logInWith(credential, { headers: key() }), 400, "passkey_failed");
    expect(lines.filter(({ event }) => event === "request")).toMatchObject([{ reason: "challenge" }]);
  });

  test("with another body is refused", async () => {
    const { authenticator } = await withPasskey();
    const headers = key();
    expect((await logInWith(await authenticator.assert(await signInOptions()), { headers })).status).toBe(200);
    const other = await authenticator.assert(await signInOptions());
    expectError(await logInWith(other, { headers }), 409, "idempotency_key_reused");
    expect((await logInWith(other)).status).toBe(200);
  });
});

describe("The counter of a passkey", () => {
  test("that does not grow refuses a device-bound passkey; three attempts notify the owner once", async () => {
    const { person, authenticator } = await withPasskey({ isSynced: false });
    await signInBy(authenticator);
    await signInBy(authenticator);
    const attempt = async (counter: number) =>
      logInWith(await authenticator.assert(await signInOptions(), { counter }));
    for (const counter of [2, 1, 0]) expectError(await attempt(counter), 400, "passkey_failed");
    expect(await eventsOf(person.userId, "auth.passkey_suspect")).toHaveLength(1);
    const messages = await eventsOf(person.userId, "security.message_due");
    expect(messages.filter(({ payload }) => payload?.includes("PASSKEY_SUSPECT"))).toHaveLength(1);
    expect((await attempt(3)).status).toBe(200);
  });

  test("is ignored if the passkey is synced or always sends 0", async () => {
    const { authenticator: synced } = await withPasskey();
    for (const counter of [5, 3, 0]) {
      expect((await logInWith(await synced.assert(await signInOptions(), { counter }))).status).toBe(200);
    }
    const { authenticator: bound } = await withPasskey({ isSynced: false });
    for (let i = 0; i < 2; i++) {
      expect((await logInWith(await bound.assert(await signInOptions(), { counter: 0 }))).status).toBe(200);
    }
  });

  test("never goes back when two answers arrive out of order", async () => {
    const { person, authenticator } = await withPasskey({ isSynced: false });
    const early = await authenticator.assert(await signInOptions());
    const late = await authenticator.assert(await signInOptions());
    expect((await logInWith(late)).status).toBe(200);
    expectError(await logInWith(early), 400, "passkey_failed");
    expect(await rows("select counter from passkeys where user_id = ?", person.userId)).toEqual([{ counter: 2 }]);
  });

  test("of a repeated call raises no alarm", async () => {
    const { person, authenticator } = await withPasskey({ isSynced: false });
    const credential = await authenticator.assert(await signInOptions());
    expect([(await logInWith(credential)).status, (await logInWith(credential)).status]).toEqual([200, 200]);
    expect(await eventsOf(person.userId, "auth.passkey_suspect")).toEqual([]);
  });
});

test("a passkey works in production, and after its owner's phone number is removed", async () => {
  const { person, authenticator } = await withPasskey();
  await run("update users set phone_number = null, phone_verified = 0 where id = ?", person.userId);
  const options = { env: productionEnv(), origin: "https://api.example.com" };
  expect((await logInWith(await authenticator.assert(await signInOptions(options)), options)).status).toBe(200);
});

test("a passkey of one account never opens another, whatever user handle it claims", async () => {
  const { authenticator } = await withPasskey();
  const { person: other } = await withPasskey();
  const bytes = Uint8Array.from(other.userId.replaceAll("-", "").match(/../g) ?? [], (byte) =>
    Number.parseInt(byte, 16),
  );
  const userHandle = btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
  expectError(
    await logInWith(await authenticator.assert(await signInOptions(), { userHandle })),
    400,
    "passkey_failed",
  );
  expectError(
    await logInWith(await authenticator.assert(await signInOptions(), { userHandle: null })),
    400,
    "passkey_failed",
  );
});

test("an eleventh sign-in ends the session used least recently", async () => {
  const clock = stopClock();
  const { person, authenticator } = await withPasskey();
  const signIn = () => {
    clock.advance(1_000);
    return signInBy(authenticator);
  };
  const second = await signIn();
  for (let i = 0; i < 8; i++) await signIn();
  clock.advance(1_000);
  // The oldest session is used, so the second one was used least recently.
  const renewed = await refresh(person.refresh);
  await signIn();
  expect((await me(renewed.body.data.access)).status).toBe(200);
  expect((await me(second.access)).status).toBe(401);
});
