import { createExecutionContext } from "cloudflare:test";
import { SignJWT } from "jose";
import { describe, expect, it, vi } from "vitest";
import { PlatformEvents, TokenVerifier } from "../../src/index.ts";
import { call, newIp, newPhone, type SignedIn, signUp, testEnv } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { rows } from "../support/database.ts";
import { askOther, deadLettersOf, insertUser, stateOf, topUp } from "../support/platform.ts";
import { consume } from "../support/queue.ts";

const clock = useClock();

const newUser = () => insertUser(Date.now());
const record = async (event: unknown, service: "RENTALS" | "NOBODY" = "RENTALS") =>
  (await askOther(service, "/events", event)).body;

const brokenEnv = {
  ...testEnv,
  DB: new Proxy(testEnv.DB, {
    get: (db, name) =>
      name === "batch" ? () => Promise.reject(new Error("D1_ERROR: secret detail")) : Reflect.get(db, name).bind(db),
  }),
};

/** An execution context with the props of a binding. */
const contextOf = (props: object) => Object.assign(createExecutionContext(), { props }) as ExecutionContext<object>;

describe("PlatformEvents.record", () => {
  it("records an event of the service named by its binding once", async () => {
    const userId = await newUser();
    const event = topUp(userId, "12.50");
    expect(await record(event)).toEqual({ accepted: true, duplicate: false });
    expect(await record(event)).toEqual({ accepted: true, duplicate: true });
    expect(await stateOf(userId)).toMatchObject({ balance: 1250 });
  });

  it("refuses a caller whose binding has no props, and stores nothing", async () => {
    const userId = await newUser();
    expect(await record(topUp(userId, "1.00"), "NOBODY")).toEqual({ accepted: false, reason: "unknown_caller" });
    expect(await stateOf(userId)).toMatchObject({ balance: 0 });
    expect(await deadLettersOf(userId)).toEqual([]);
  });

  it("refuses an event with another service's source, and stores nothing", async () => {
    const userId = await newUser();
    expect(await record(topUp(userId, "1.00", { source: "payments" }))).toEqual({
      accepted: false,
      reason: "wrong_source",
    });
    expect(await stateOf(userId)).toMatchObject({ balance: 0 });
    expect(await deadLettersOf(userId)).toEqual([]);
  });

  it("stores no event with another service's source, also if it is malformed or too large", async () => {
    const userId = await newUser();
    const forged = topUp(userId, "1.00", { source: "payments" });
    const early = { ...forged, occurred_at: new Date(Date.now() + 2 * 3_600_000).toISOString() };
    for (const event of [early, { ...forged, data: {} }, { ...forged, more: "x".repeat(70_000) }])
      expect(await record(event)).toEqual({ accepted: false, reason: "wrong_source" });
    expect(await deadLettersOf(userId)).toEqual([]);
  });

  it.each([
    [{ caller: "" }],
    [{ caller: 5 }],
    [{ caller: ["rentals"] }],
    [{ caller: "Rentals" }],
    [{ name: "rentals" }],
    [{}],
  ])("refuses the props %j", async (props) => {
    const userId = await newUser();
    const entrypoint = new PlatformEvents(contextOf(props), testEnv);
    expect(await entrypoint.record(topUp(userId, "1.00"))).toEqual({ accepted: false, reason: "unknown_caller" });
    expect(await stateOf(userId)).toMatchObject({ balance: 0 });
  });

  it("reports the invalid fields or the unknown user, and stores both events as dead letters", async () => {
    const userId = await newUser();
    const malformed = { ...topUp(userId, "1.00"), occurred_at: "yesterday" };
    expect(await record(malformed)).toEqual({
      accepted: false,
      reason: "malformed",
      fields: ["occurred_at invalid_format"],
    });
    expect(await deadLettersOf(userId)).toMatchObject([
      { queue: "PlatformEvents", type: "platform.event", reason: "malformed: occurred_at invalid_format" },
    ]);
    const stranger = crypto.randomUUID();
    expect(await record(topUp(stranger, "1.00"))).toEqual({ accepted: false, reason: "unknown_user" });
    expect(await deadLettersOf(stranger)).toMatchObject([{ reason: "unknown user" }]);
  });

  it("stores a dead letter as well-formed text, whatever the sender wrote into its names", async () => {
    const userId = await newUser();
    const names: [id: string, source: string, stored: string][] = [
      ["a\u0000b", "rentals", "rentals:a b"],
      ["\ud800x", "ren\u0007\u009ftals", "ren tals:\ufffdx"],
      [`${"x".repeat(98)}😀`, "rentals", `rentals:${"x".repeat(98)}😀`],
    ];
    for (const [id, source] of names) {
      const event = { ...topUp(userId, "1.00"), id, source, occurred_at: "yesterday" };
      expect(await record(event)).toMatchObject({ accepted: false, reason: "malformed" });
    }
    const letters = await deadLettersOf(userId);
    expect(letters.map(({ event_id }) => event_id).sort()).toEqual(names.map(([, , stored]) => stored).sort());
    for (const [i, end] of ["😀", "\udc00", "\u0000"].entries()) {
      const type = `${i}${"t".repeat(198)}${end}tail`;
      await consume([{ event_id: `e${i}`, type, user_id: userId, payload: "{}", created_at: 0 }], {}, 1, "tasks");
    }
    const types = await rows<{ type: string }>(
      "select type from dead_letters where user_id = ? and queue = 'tasks' order by type",
      userId,
    );
    const begin = (i: number) => `${i}${"t".repeat(198)}`;
    expect(types.map(({ type }) => type)).toEqual([begin(0), `${begin(1)}\ufffd`, `${begin(2)} `]);
  });

  it.each([[null], [7], ["text"], [[]], [{}], [{ type: "points.changed" }]])("never throws for %j", async (given) => {
    expect(await record(given)).toMatchObject({ accepted: false, reason: "malformed" });
  });

  it("never throws for values that JSON cannot represent", async () => {
    const circular: Record<string, unknown> = { id: 10n, date: new Date(), map: new Map() };
    circular.self = circular;
    const entrypoint = new PlatformEvents(contextOf({ caller: "rentals" }), testEnv);
    for (const given of [undefined, circular, () => 5, 10n, Symbol.iterator.toString]) {
      expect(await entrypoint.record(given)).toMatchObject({ accepted: false, reason: "malformed" });
    }
  });

  it("throws without the database's message during an outage, and the same event counts once afterwards", async () => {
    const userId = await newUser();
    const event = topUp(userId, "1.00");
    const entrypoint = new PlatformEvents(contextOf({ caller: "rentals" }), brokenEnv);
    const failure = await entrypoint.record(event).catch((error) => error);
    expect(failure).toBeInstanceOf(Error);
    expect(String(failure)).not.toContain("secret");
    expect(await record(event)).toEqual({ accepted: true, duplicate: false });
  });

  it("treats the same event from the queue and by RPC as one", async () => {
    const userId = await newUser();
    const event = topUp(userId, "1.00");
    expect((await askOther("RENTALS", "/queue", event)).status).toBe(202);
    await record(event);
    vi.useRealTimers();
    await vi.waitFor(async () =>
      expect(await rows("select 1 from processed_events where event_id = ?", event.id)).toHaveLength(1),
    );
    expect(await stateOf(userId)).toMatchObject({ balance: 100 });
  });
});

describe("TokenVerifier.verifyAccessToken", () => {
  const newSession = () => signUp(newPhone(), { ip: newIp() });
  const verify = async (token: unknown) => (await askOther("RENTALS", "/tokens", { token })).body;
  const logout = (user: SignedIn) =>
    call("POST", "/api/auth/logout", { token: user.access, json: { refresh_token: user.refresh } });

  it("returns user, session, role and expiry for a token with an open session", async () => {
    const user = await newSession();
    const answer = await verify(user.access);
    expect(answer).toEqual({
      valid: true,
      user_id: user.userId,
      session_id: expect.any(String),
      role: "user",
      expires_at: new Date(Math.floor(Date.now() / 1000) * 1000 + 15 * 60_000).toISOString(),
    });
    await rows("update users set role = 'admin' where id = ?", user.userId);
    expect(await verify(user.access)).toEqual({ ...answer, role: "admin" });
  });

  it("returns expired for an expired token without querying the database", async () => {
    const user = await newSession();
    clock.advance(15 * 60_000 + 6_000);
    expect(await verify(user.access)).toEqual({ valid: false, reason: "expired" });
    const entrypoint = new TokenVerifier(contextOf({}), brokenEnv);
    expect(await entrypoint.verifyAccessToken(user.access)).toEqual({ valid: false, reason: "expired" });
  });

  it("returns invalid for tokens that we did not issue", async () => {
    const user = await newSession();
    const [head, body, signature] = user.access.split(".") as [string, string, string];
    const forged = await new SignJWT({ user_id: user.userId, sid: "x", token_type: "access" })
      .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
      .setSubject(user.userId)
      .setExpirationTime("1h")
      .sign(new Uint8Array(32));
    const altered = `${head}.${body}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
    for (const token of [
      "",
      "x",
      forged,
      altered,
      user.refresh,
      "a".repeat(100_000),
      5,
      null,
      [user.access],
      undefined,
    ]) {
      expect(await verify(token), String(token).slice(0, 20)).toEqual({ valid: false, reason: "invalid" });
    }
  });

  it("returns ended after logout, ban and deletion", async () => {
    const [left, banned, deleted] = [await newSession(), await newSession(), await newSession()];
    await logout(left);
    await rows("update users set status = 'BANNED', status_reason = 'staff' where id = ?", banned.userId);
    await rows("delete from users where id = ?", deleted.userId);
    for (const { access } of [left, banned, deleted])
      expect(await verify(access)).toEqual({ valid: false, reason: "ended" });
  });

  it("throws during a database outage instead of calling the token invalid", async () => {
    const user = await newSession();
    const entrypoint = new TokenVerifier(contextOf({}), brokenEnv);
    await expect(entrypoint.verifyAccessToken(user.access)).rejects.toThrow(/unavailable/);
    expect(await verify(user.access)).toMatchObject({ valid: true });
  });

  it("queries the database once", async () => {
    const user = await newSession();
    let trips = 0;
    const DB = new Proxy(testEnv.DB, {
      get: (db, name) => {
        if (name === "batch") trips += 1;
        return Reflect.get(db, name).bind(db);
      },
    });
    await new TokenVerifier(contextOf({}), { ...testEnv, DB }).verifyAccessToken(user.access);
    expect(trips).toBe(1);
  });
});
