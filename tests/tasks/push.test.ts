import { exportPKCS8, generateKeyPair } from "jose";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { call, logIn, newIp, type SignedIn, signUp, testEnv } from "../support/client.ts";
import { newId } from "../support/ids.ts";
import { fakeInternet, type Host } from "../support/internet.ts";
import { closeBreakers, productionEnv, stopTime } from "../support/production.ts";
import { acknowledged, consume, retried } from "../support/queue.ts";
import { runTasks } from "../support/tasks.ts";

const GOOGLE = "https://oauth2.googleapis.com";
const FCM = "https://fcm.googleapis.com";

let env: Env;
let clock: ReturnType<typeof stopTime>;

beforeAll(async () => {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const account = {
    project_id: "power-bank",
    private_key: await exportPKCS8(privateKey),
    client_email: "push@power-bank.iam.gserviceaccount.com",
    token_uri: `${GOOGLE}/token`,
  };
  env = productionEnv({ FCM_SERVICE_ACCOUNT: JSON.stringify(account) });
});
beforeEach(async () => {
  await closeBreakers();
  clock = stopTime();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const token: Host = () => Response.json({ access_token: "canary", expires_in: 3599, token_type: "Bearer" });
const taken: Host = () => Response.json({ name: "projects/power-bank/messages/1" });
const unregistered: Host = () =>
  Response.json(
    { error: { code: 404, status: "NOT_FOUND", details: [{ errorCode: "UNREGISTERED" }] } },
    { status: 404 },
  );
const online = (fcm: Host) => fakeInternet({ [GOOGLE]: token, [FCM]: fcm })[FCM];

interface PushMessage {
  token: string;
  notification: { title: string; body: string };
  data: Record<string, string>;
}
const messagesOf = (sent: { body: string }[] | undefined) =>
  (sent ?? []).map(({ body }) => (JSON.parse(body) as { message: PushMessage }).message);

async function registerDevice(user: SignedIn, deviceId: string, isActive = true): Promise<string> {
  const fcm_token = `push-${crypto.randomUUID()}`;
  const json = { device_id: deviceId, fcm_token, device_type: "ANDROID", is_active: isActive };
  expect((await call("POST", "/api/auth/device", { token: user.access, json })).status).toBe(200);
  return fcm_token;
}

/** Inserts a notification of the user and returns the message that requests its push. */
async function pushFor(userId: string) {
  const id = newId();
  await testEnv.DB.prepare(
    "insert into notifications (id, user_id, notification_type, title, message, created_at) values (?, ?, 'TEST', 'Hello', 'Open the app.', ?)",
  )
    .bind(id, userId, Date.now())
    .run();
  const payload = JSON.stringify({ notification_id: id });
  return {
    id,
    message: {
      event_id: newId(),
      type: "push.requested",
      user_id: userId,
      payload,
      created_at: Date.now(),
    },
  };
}

const tokensOf = async (userId: string) =>
  (
    await testEnv.DB.prepare("select fcm_token from devices where user_id = ? order by device_id")
      .bind(userId)
      .all<{ fcm_token: string | null }>()
  ).results.map(({ fcm_token }) => fcm_token);

describe("deliver_push", () => {
  it("is retried after a delay that doubles up to ten minutes while no provider accepts it", async () => {
    const user = await signUp();
    await registerDevice(user, "phone");
    const { message } = await pushFor(user.userId);
    fakeInternet({ [GOOGLE]: () => new Response("", { status: 503 }), [FCM]: taken });
    const delays: unknown[] = [];
    for (let attempt = 1; attempt <= 8; attempt++) {
      const body = { ...message, created_at: Date.now() };
      delays.push(...(await runTasks([body], env, attempt)));
      clock.advance(60_000);
    }
    expect(delays).toEqual([30, 60, 120, 240, 480, 600, 600, 600]);
  });

  it("sends to each active device once despite redelivery, with ids and no personal data", async () => {
    const user = await signUp();
    const tokens = [await registerDevice(user, "a"), await registerDevice(user, "b")];
    await registerDevice(user, "c", false);
    const { id, message } = await pushFor(user.userId);
    const sent = online(taken);
    expect(await consume([message, message, message], env)).toMatchObject({ acked: expect.arrayContaining([0]) });
    await consume([message], env);
    const messages = messagesOf(sent);
    expect(messages.map((each) => each.token).sort()).toEqual([...tokens].sort());
    expect(messages[0]).toMatchObject({
      notification: { title: "Hello", body: "Open the app." },
      data: { notification_id: id, notification_type: "TEST" },
    });
    for (const { data } of messages) expect(data).toEqual({ notification_id: id, notification_type: "TEST" });
    expect(JSON.stringify(messages)).not.toContain(user.identifier.slice(4));
  });

  it("stops for a device when its session ends, and not for devices of other sessions", async () => {
    const user = await signUp();
    await registerDevice(user, "phone");
    clock.advance(120_000);
    const tablet = await logIn(user.identifier, { ip: newIp() });
    const kept = await registerDevice(tablet, "tablet");
    await call("POST", "/api/auth/logout", { token: user.access, json: { refresh_token: user.refresh } });
    const sent = online(taken);
    expect(await consume([(await pushFor(user.userId)).message], env)).toEqual(acknowledged);
    expect(messagesOf(sent).map((each) => each.token)).toEqual([kept]);
  });

  it("removes a token that FCM reports as unregistered, and keeps a token that replaced it meanwhile", async () => {
    const user = await signUp();
    const dead = await registerDevice(user, "a");
    const alive = await registerDevice(user, "b");
    let renewed = "";
    const sent = online(async (request) => {
      const [message] = messagesOf([request]);
      if (message?.token !== dead) return taken(request);
      renewed = await registerDevice(user, "a");
      return unregistered(request);
    });
    expect(await consume([(await pushFor(user.userId)).message], env)).toEqual(acknowledged);
    expect(await tokensOf(user.userId)).toEqual([renewed, alive]);
    vi.restoreAllMocks();
    online(unregistered);
    expect(await consume([(await pushFor(user.userId)).message], env)).toEqual(acknowledged);
    expect(await tokensOf(user.userId)).toEqual([null, null]);
    expect(sent).toHaveLength(2);
  });

  it("is retried for the refused device and not for the one that got it", async () => {
    const user = await signUp();
    const [first, second] = [await registerDevice(user, "a"), await registerDevice(user, "b")];
    const { message } = await pushFor(user.userId);
    const tries: string[] = [];
    let isBusy = true;
    online((request) => {
      const to = messagesOf([request])[0]?.token ?? "";
      tries.push(to);
      if (to === second && isBusy) {
        return Response.json({ error: { code: 429, status: "RESOURCE_EXHAUSTED" } }, { status: 429 });
      }
      return taken(request);
    });
    expect(await consume([message], env)).toEqual(retried);
    isBusy = false;
    expect(await consume([message], env, 2)).toEqual(acknowledged);
    expect(tries.sort()).toEqual([first, second, second].sort());
  });

  it("drops a notification that is a day old or deleted, or if no push service is configured", async () => {
    const user = await signUp();
    await registerDevice(user, "a");
    const sent = online(taken);
    const { message } = await pushFor(user.userId);
    clock.advance(24 * 60 * 60_000 + 1);
    expect(await consume([message], env)).toEqual(acknowledged);
    const gone = { ...message, event_id: "gone", payload: JSON.stringify({ notification_id: "gone" }) };
    expect(await consume([gone], env)).toEqual(acknowledged);
    expect(await consume([(await pushFor(user.userId)).message], productionEnv())).toEqual(acknowledged);
    expect(sent).toEqual([]);
  });
});
