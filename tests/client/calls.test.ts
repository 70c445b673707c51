import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { isUsersError, UsersApiError } from "../../client/src/index.ts";
import { readCode } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { jpeg } from "../support/documents.ts";
import { startApp } from "./app.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const photo = () => new Blob([jpeg()], { type: "image/jpeg" });

async function count(sql: string, ...values: string[]): Promise<number> {
  return (
    (await env.DB.prepare(sql)
      .bind(...values)
      .first<number>("n")) ?? 0
  );
}

test("a code is asked for once, however often its answer is lost and the person presses the button", async () => {
  const app = startApp({ retries: 1 });
  app.disturbOnce("POST /auth/otp/request", "lose answer", "lose answer");
  await expect(app.client.auth.requestCode(app.identifier)).rejects.toMatchObject({ code: "no_answer" });
  const answer = await app.client.auth.requestCode(app.identifier);
  expect(answer.resend_in).toBeGreaterThan(0);
  await readCode(app.identifier);
  expect(await count("select count(*) as n from local_outbox where recipient = ?", app.identifier)).toBe(1);
});

test("a code is asked for once, also if a proxy or a limit answers after a lost answer", async () => {
  const limited = Response.json(
    { success: false, error: { code: "rate_limit_exceeded", message: "later" } },
    { status: 429, headers: { "Retry-After": "60" } },
  );
  const cases = [
    { met: new Response("<html>Forbidden</html>", { status: 403 }), code: "unexpected_answer" },
    { met: limited, code: "rate_limit_exceeded" },
  ];
  for (const { met, code } of cases) {
    const app = startApp();
    app.disturbOnce("POST /auth/otp/request", "lose answer", met);
    await expect(app.client.auth.requestCode(app.identifier)).rejects.toMatchObject({ code });
    await app.client.auth.requestCode(app.identifier);
    await readCode(app.identifier);
    expect(new Set(app.sent.map(({ headers }) => headers.get("idempotency-key"))).size).toBe(1);
    expect(await count("select count(*) as n from local_outbox where recipient = ?", app.identifier)).toBe(1);
  }
});

test("a code whose token has died in the meantime is verified again, instead of the dead token being sent for ever", async () => {
  const clock = stopClock();
  const app = startApp({ retries: 0 });
  await app.client.auth.requestCode(app.identifier);
  const code = await readCode(app.identifier);
  app.disturbOnce("POST /auth/register", "lose request");
  await expect(app.client.auth.signIn(app.identifier, code)).rejects.toMatchObject({ code: "no_answer" });
  clock.advance(86_400_000);
  await expect(app.client.auth.signIn(app.identifier, code)).rejects.toMatchObject({ code: "invalid_token" });
  app.names();
  await expect(app.client.auth.signIn(app.identifier, code)).rejects.toThrow();
  expect(app.names()).toEqual(["POST /auth/otp/verify"]);
});

test("a sign-in that lost its last answer goes on with the same code", async () => {
  const app = startApp({ retries: 0 });
  await app.client.auth.requestCode(app.identifier);
  const code = await readCode(app.identifier);
  app.disturbOnce("POST /auth/otp/verify", "lose answer");
  await expect(app.client.auth.signIn(app.identifier, code)).rejects.toMatchObject({ code: "no_answer" });
  app.disturbOnce("POST /auth/register", "lose answer");
  await expect(app.client.auth.signIn(app.identifier, code)).rejects.toMatchObject({ code: "no_answer" });
  const { user_id, user } = await app.client.auth.signIn(app.identifier, code);
  expect(user.id).toBe(user_id);
  expect(await count("select count(*) as n from sessions where user_id = ?", user_id)).toBe(1);
});

test("a wrong code can be followed by the right one", async () => {
  const app = startApp();
  await app.client.auth.requestCode(app.identifier);
  const code = await readCode(app.identifier);
  const wrong = code === "000000" ? "000001" : "000000";
  await expect(app.client.auth.signIn(app.identifier, wrong)).rejects.toMatchObject({ code: "invalid_otp" });
  await app.client.auth.signIn(app.identifier, code);
  expect(await app.client.isSignedIn()).toBe(true);
});

test("documents whose answer is lost are submitted once", async () => {
  const app = startApp();
  const { user_id } = await app.signUp();
  app.disturbOnce("POST /users/kyc", "lose answer", "lose answer");
  const kyc = await app.client.kyc.submit({ document_number: "12-34-56", document_front: photo() });
  expect(kyc.status).toBe("PENDING");
  const keys = app.sent.map(({ headers }) => headers.get("idempotency-key"));
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
  expect(await count("select count(*) as n from audit_logs where entity_type = 'kyc' and user_id = ?", user_id)).toBe(
    1,
  );
});

test("a write without a key is not repeated by itself", async () => {
  const app = startApp();
  await app.signUp();
  app.disturbOnce("PUT /users/profile", "lose answer");
  await expect(app.client.profile.update({ address: "Ward 4" })).rejects.toMatchObject({
    code: "no_answer",
    status: 0,
  });
  expect(app.names()).toEqual(["PUT /users/profile"]);
});

test("a read is repeated after a lost connection, an outage and a page of a proxy", async () => {
  const app = startApp();
  await app.signUp();
  const outage = Response.json(
    { success: false, error: { code: "service_unavailable", message: "" } },
    { status: 503 },
  );
  app.disturbOnce("GET /auth/me", "lose request", outage, new Response("<h1>502</h1>", { status: 502 }));
  await app.client.me();
  expect(app.names()).toHaveLength(4);
});

test.each([
  ["the API's limit", JSON.stringify({ success: false, error: { code: "rate_limit_exceeded", message: "" } }), 429],
  ["a page of an edge in front of the API", "<h1>Busy</h1>", 503],
])("a repetition waits at least as long as the Retry-After of %s says", async (_, body, status) => {
  const app = startApp();
  await app.signUp();
  const limited = new Response(body, { status, headers: { "retry-after": "1" } });
  app.disturbOnce("GET /auth/me", limited);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const answer = app.client.me();
  await vi.advanceTimersByTimeAsync(999);
  expect(app.sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(3);
  vi.useRealTimers();
  await answer;
  expect(app.sent).toHaveLength(2);
});

test.each([
  ["least", 0, 500],
  ["greatest", 0.999, 1499],
])("waits are scattered: the first one with the %s random number", async (_, random, wait) => {
  const app = startApp({ retryDelay: 1_000 });
  await app.signUp();
  app.disturbOnce("GET /auth/me", "lose request");
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.spyOn(Math, "random").mockReturnValue(random);
  const answer = app.client.me();
  await vi.advanceTimersByTimeAsync(wait - 1);
  expect(app.sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(2);
  vi.useRealTimers();
  await answer;
  expect(app.sent).toHaveLength(2);
});

test("a wait beyond the deadline is told at once", async () => {
  const app = startApp();
  await app.client.auth.requestCode(app.identifier);
  const again = app.client.auth.requestCode(app.identifier);
  const error = await again.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!isUsersError(error)) throw new Error("no error of the client");
  expect(error.code).toBe("rate_limit_exceeded");
  expect(error.retryAfter).toBeGreaterThan(50);
  expect(app.sent).toHaveLength(2);
});

test("an error says which fields are wrong, in the language of the app", async () => {
  const app = startApp({ language: "ne" });
  await app.signUp();
  const error = await app.client.profile.update({ full_name: "A" }).catch((caught: unknown) => caught);
  if (!isUsersError(error) || error.code !== "validation_error") throw new Error(String(error));
  expect(error.fields).toEqual({ full_name: [{ code: "too_short", min: 2 }] });
  expect(error.message).toMatch(/\p{Script=Devanagari}/u);
  expect(error.requestId).toMatch(/^[\w-]+$/);
  app.client.setLanguage("en");
  await expect(app.client.profile.update({ full_name: "A" })).rejects.toThrow(/Check the marked fields/);
});

test("an error without an answer is in the language of the app too", async () => {
  const app = startApp({ language: "ne-NP", retries: 0 });
  app.disturb(() => "lose request");
  const error = await app.client.auth.requestCode(app.identifier).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(UsersApiError);
  expect(String(error)).toMatch(/\p{Script=Devanagari}/u);
});

test("a call that the app aborts ends with the reason of the app", async () => {
  const app = startApp();
  await app.signUp();
  const abort = new AbortController();
  app.disturb(() => {
    abort.abort(new Error("the person has left the screen"));
    return "lose request";
  });
  await expect(app.client.call("GET /auth/me", { signal: abort.signal })).rejects.toThrow("the person has left");
  expect(app.sent).toHaveLength(1);
});

test("every method takes a signal: aborted, it makes no request", async () => {
  const app = startApp();
  await app.signUp();
  const { client } = app;
  const input = { signal: AbortSignal.abort(new Error("the screen was closed")) };
  const calls: (() => Promise<unknown>)[] = [
    () => client.me(input),
    () => client.wallet(input),
    () => client.usage(input),
    () => client.exportData(undefined, input),
    () => client.registerDevice({ device_id: "d", device_type: "ANDROID", fcm_token: "t" }, input),
    () => client.profile.get(input),
    () => client.profile.update({ address: "Patan" }, input),
    () => client.kyc.get(input),
    () => client.kyc.status(input),
    () => client.notifications.list({}, input),
    () => client.notifications.all(50, input).next(),
    () => client.notifications.get("1", input),
    () => client.notifications.read("1", input),
    () => client.notifications.readAll(input),
    () => client.sessions.list(input),
    () => client.sessions.end("1", input),
    () => client.sessions.endOthers(input),
    () => client.identity.get(input),
    () => client.identity.setLanguage("ne", input),
    () => client.identity.setEmail({ email: "a@example.com", verification_token: "t" }, input),
    () => client.identity.removeEmail(input),
    () => client.identity.removePhoneNumber(input),
    () => client.passkeys.signInOptions(input),
    () => client.passkeys.options("REGISTER", input),
    () => client.passkeys.rename("1", "Phone", input),
    () => client.passkeys.remove("1", input),
    () => client.auth.signIn(app.identifier, "123456", {}, input),
    () => client.auth.unlink("google", {}, input),
    () => client.auth.deleteAccount({}, input),
    () => client.auth.logout(input),
  ];
  for (const call of calls) await expect(call(), String(call)).rejects.toThrow("the screen was closed");
  expect(app.names()).toEqual([]);
});

test("a call that was aborted before it was made is not sent", async () => {
  const app = startApp();
  await app.signUp();
  const signal = AbortSignal.abort(new Error("left the screen"));
  await expect(app.client.call("PATCH /users/profile", { body: { address: "Patan" }, signal })).rejects.toThrow(
    "left the screen",
  );
  expect(app.names()).toEqual([]);
});

test("the key of an unanswered call is remembered beyond fifty other unanswered calls", async () => {
  const app = startApp({ retries: 0 });
  app.disturb(() => "lose request");
  const ask = (identifier: string) => app.client.auth.requestCode(identifier).catch(() => {});
  for (let i = 0; i < 51; i++) await ask(`person${i}@example.com`);
  await ask("person50@example.com");
  await ask("person0@example.com");
  const keys = app.sent.map(({ headers }) => headers.get("idempotency-key"));
  expect(keys[51]).toBe(keys[50]);
  // The oldest of more than fifty is forgotten.
  expect(keys[52]).not.toBe(keys[0]);
});

test("a list is gone through page by page", async () => {
  const app = startApp();
  const { user_id } = await app.signUp();
  const rows = Array.from({ length: 5 }, (_, i) =>
    env.DB.prepare(
      "insert into notifications (id, user_id, title, message, notification_type, created_at) values (?, ?, ?, '', 'KYC', ?)",
    ).bind(`${i}`.padStart(8, "0"), user_id, `Title ${i}`, i),
  );
  await env.DB.batch(rows);
  const titles: string[] = [];
  for await (const { title } of app.client.notifications.all(2)) titles.push(title);
  expect(titles).toEqual(["Title 4", "Title 3", "Title 2", "Title 1", "Title 0"]);
  expect(app.names()).toHaveLength(3);
});

test("a notification is opened by its id, and all of them are marked as read", async () => {
  const app = startApp();
  const { user_id } = await app.signUp();
  const rows = ["first", "second", "third"].map((title, i) =>
    env.DB.prepare(
      "insert into notifications (id, user_id, title, message, notification_type, created_at) values (?, ?, ?, '', 'KYC', ?)",
    ).bind(`${user_id}-${i}`, user_id, title, i),
  );
  await env.DB.batch(rows);
  const { notifications } = app.client;
  expect(await notifications.get(`${user_id}-1`)).toMatchObject({ title: "second", is_read: false });
  await expect(notifications.get(`${user_id}-9`)).rejects.toMatchObject({ status: 404, code: "not_found" });
  await notifications.read(`${user_id}-1`);
  expect(await notifications.list()).toMatchObject({ unread_count: 2 });
  await notifications.readAll();
  expect(await notifications.list()).toMatchObject({ unread_count: 0 });
});

test("an export of the person's data goes on by its cursor", async () => {
  const app = startApp();
  const { user_id } = await app.signUp();
  const rows = Array.from({ length: 501 }, (_, i) =>
    env.DB.prepare(
      "insert into notifications (id, user_id, title, message, notification_type, created_at) values (?, ?, '', '', 'KYC', 1)",
    ).bind(`${user_id}-${String(i).padStart(3, "0")}`, user_id),
  );
  await env.DB.batch(rows);
  const first = await app.client.exportData();
  expect([first.account?.id, first.notifications.length]).toEqual([user_id, 500]);
  const second = await app.client.exportData(first.next_cursor ?? undefined);
  expect([second.account, second.notifications.length, second.next_cursor]).toEqual([null, 1, null]);
});

test("React Native's description of a file goes into the form as it is, and is recognised by its content", async () => {
  const appended: unknown[][] = [];
  vi.stubGlobal(
    "FormData",
    class {
      append(...given: unknown[]) {
        appended.push(given);
      }
    },
  );
  const app = startApp({ retries: 0 });
  app.disturb(() => "lose request");
  const front = { uri: "file:///front.jpg", name: "front.jpg", type: "image/jpeg" };
  const body = { document_number: "12-34-56", document_front: front, document_type: undefined };
  await expect(app.client.kyc.submit(body)).rejects.toMatchObject({ code: "no_answer" });
  // Pressing the button again describes the same file anew.
  const again = { ...body, document_front: { ...front } };
  await expect(app.client.kyc.submit(again)).rejects.toMatchObject({ code: "no_answer" });
  vi.unstubAllGlobals();
  expect(new Set(app.sent.map(({ headers }) => headers.get("idempotency-key"))).size).toBe(1);
  expect(appended.slice(0, 2)).toEqual([
    ["document_number", "12-34-56"],
    ["document_front", front],
  ]);
});
