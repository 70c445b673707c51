import { createExecutionContext } from "cloudflare:test";
import { exportPKCS8, generateKeyPair, jwtVerify } from "jose";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { buildDeps } from "../../src/build-deps.ts";
import { deliver } from "../../src/delivery/deliver.ts";
import { messageDelivery } from "../../src/delivery/delivery.store.ts";
import { testEnv } from "../support/client.ts";
import { newId } from "../support/ids.ts";
import { fakeInternet, type Host, misbehaviours } from "../support/internet.ts";
import { closeBreakers, productionEnv, recordLog, stopTime } from "../support/production.ts";

const GOOGLE = "https://oauth2.googleapis.com";
const FCM = "https://fcm.googleapis.com";
const EMAIL = "push@power-bank.iam.gserviceaccount.com";

let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let serial = 0;
/** A separate service account, so that no access token of another test is cached for it. */
let env: Env;

beforeAll(async () => {
  keys = await generateKeyPair("RS256", { extractable: true });
});

async function freshAccount(): Promise<void> {
  await closeBreakers();
  serial += 1;
  const account = {
    type: "service_account",
    project_id: "power-bank",
    private_key_id: `key-${serial}`,
    private_key: await exportPKCS8(keys.privateKey),
    client_email: EMAIL,
    token_uri: `${GOOGLE}/token`,
  };
  env = productionEnv({ FCM_SERVICE_ACCOUNT: JSON.stringify(account) });
}

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Google's token endpoint (RFC 7523): each request gets a different token, valid for an hour. */
function tokenEndpoint(): Host {
  let grants = 0;
  return async ({ body, headers }) => {
    const form = new URLSearchParams(body);
    expect(headers.get("content-type")).toMatch(/^application\/x-www-form-urlencoded/);
    expect(form.get("grant_type")).toBe("urn:ietf:params:oauth:grant-type:jwt-bearer");
    const { payload, protectedHeader } = await jwtVerify(form.get("assertion") ?? "", keys.publicKey, {
      algorithms: ["RS256"],
      issuer: EMAIL,
      audience: `${GOOGLE}/token`,
      maxTokenAge: "1h",
      currentDate: new Date(),
    });
    expect(protectedHeader.kid).toBe(`key-${serial}`);
    expect(payload.scope).toBe("https://www.googleapis.com/auth/firebase.messaging");
    expect(payload.exp).toBe((payload.iat ?? 0) + 3600);
    grants += 1;
    return Response.json({ access_token: `canary-access-${grants}`, expires_in: 3599, token_type: "Bearer" });
  };
}

const accepting: Host = () => Response.json({ name: "projects/power-bank/messages/1" });

/** An error in FCM's documented format. */
const refusing =
  (status: number, canonical: string, errorCode?: string): Host =>
  () => {
    const details = errorCode
      ? [{ "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", errorCode }]
      : undefined;
    return Response.json({ error: { code: status, message: "canary", status: canonical, details } }, { status });
  };

/** Delivers a notification to a device, as the task does. */
async function push(id: string = newId()) {
  const deps = await buildDeps(env, createExecutionContext(), "push");
  return deliver(deps, messageDelivery(deps, id), {
    id,
    channel: "push",
    to: "device-token-canary",
    title: "Rental started",
    text: "Open the app to see it.",
    data: { notification_id: "018f" },
  });
}

const online = (fcm: Host, google: Host = tokenEndpoint()) => fakeInternet({ [GOOGLE]: google, [FCM]: fcm });

describe("Push by FCM", () => {
  test("sends title, text and ids to one device with the service account's access token", async () => {
    await freshAccount();
    const received = online(accepting);
    expect(await push()).toEqual({ isDone: true, note: "sent by fcm" });
    const [request] = received[FCM] ?? [];
    expect(request?.url).toBe(`${FCM}/v1/projects/power-bank/messages:send`);
    expect(request?.headers.get("authorization")).toBe("Bearer canary-access-1");
    expect(JSON.parse(request?.body ?? "")).toMatchObject({
      message: {
        token: "device-token-canary",
        notification: { title: "Rental started", body: "Open the app to see it." },
        data: { notification_id: "018f" },
      },
    });
  });

  test("reuses an access token until one minute before it expires", async () => {
    await freshAccount();
    const clock = stopTime();
    const received = online(accepting);
    await push();
    clock.advance(3_538_000);
    await push();
    expect(received[GOOGLE]).toHaveLength(1);
    clock.advance(2_000);
    await push();
    expect(received[GOOGLE]).toHaveLength(2);
    expect(received[FCM]?.map(({ headers }) => headers.get("authorization"))).toEqual([
      "Bearer canary-access-1",
      "Bearer canary-access-1",
      "Bearer canary-access-2",
    ]);
  });

  test("requests another access token if the current one is refused", async () => {
    await freshAccount();
    const id = newId();
    const received = online((request) =>
      request.headers.get("authorization") === "Bearer canary-access-1"
        ? refusing(401, "UNAUTHENTICATED")(request)
        : accepting(request),
    );
    expect((await push(id)).isDone).toBe(false);
    expect((await push(id)).isDone).toBe(true);
    expect(received[GOOGLE]).toHaveLength(2);
  });

  test.each([
    ["UNREGISTERED", refusing(404, "NOT_FOUND", "UNREGISTERED")],
    ["SENDER_ID_MISMATCH", refusing(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH")],
  ])("says of %s that the device's token is dead, and is not tried again", async (_what, host) => {
    await freshAccount();
    const id = newId();
    const received = online(host);
    expect(await push(id)).toEqual({ isDone: true, note: "undeliverable", isGone: true });
    expect(await push(id)).toEqual({ isDone: true, note: "undeliverable" });
    expect(received[FCM]).toHaveLength(1);
  });

  test.each([
    ["in no format of FCM's", () => new Response("<html>canary</html>", { status: 404 })],
    ["without a code of FCM's", refusing(404, "NOT_FOUND")],
  ])("a 404 %s is no proof that the device is gone", async (_what, host) => {
    await freshAccount();
    online(host);
    const { isDone, isGone } = await push();
    expect({ isDone, isGone }).toEqual({ isDone: false, isGone: undefined });
  });

  test("gives up a message with an invalid argument and keeps the device", async () => {
    await freshAccount();
    online(refusing(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"));
    expect(await push()).toEqual({ isDone: true, note: "undeliverable", isGone: false });
  });

  test.each([
    [403, "PERMISSION_DENIED", undefined],
    [429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"],
    [401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"],
  ])("%i %s %s is a refusal, and may be tried again", async (status, canonical, code) => {
    await freshAccount();
    const id = newId();
    const received = online(refusing(status, canonical, code));
    for (let attempt = 1; attempt <= 3; attempt++) expect((await push(id)).isDone).toBe(false);
    expect(received[FCM]).toHaveLength(3);
  });

  const uncertain: Record<string, (advance: (milliseconds: number) => void) => Host> = {
    ...misbehaviours,
    "answers UNAVAILABLE": () => refusing(503, "UNAVAILABLE", "UNAVAILABLE"),
    "answers INTERNAL": () => refusing(500, "INTERNAL", "INTERNAL"),
  };

  test.each(Object.entries(uncertain))("calls a service that %s at most twice", async (_what, misbehave) => {
    await freshAccount();
    const clock = stopTime();
    const id = newId();
    const received = online(misbehave(clock.advance));
    for (let attempt = 1; attempt <= 2; attempt++) expect((await push(id)).isDone).toBe(false);
    expect(await push(id)).toEqual({ isDone: true, note: "exhausted" });
    expect(received[FCM]).toHaveLength(2);
  });

  test.each([
    ...Object.entries(misbehaviours),
    ["refuses the assertion", () => () => Response.json({ error: "invalid_grant" }, { status: 400 })] as const,
  ])("does not count an attempt if the token endpoint %s", async (_what, misbehave) => {
    await freshAccount();
    const clock = stopTime();
    const id = newId();
    const received = online(accepting, misbehave(clock.advance));
    for (let attempt = 1; attempt <= 3; attempt++) expect((await push(id)).isDone).toBe(false);
    expect(received[FCM]).toHaveLength(0);
    vi.restoreAllMocks();
    online(accepting);
    expect((await push(id)).isDone).toBe(true);
  });

  test("logs nothing of the message, device or credentials", async () => {
    for (const host of [accepting, refusing(404, "NOT_FOUND", "UNREGISTERED"), refusing(500, "INTERNAL")]) {
      await freshAccount();
      online(host);
      const lines = recordLog();
      await push();
      vi.restoreAllMocks();
      expect(lines.map(({ event }) => event)).toContain("delivery_try");
      for (const secret of ["canary", "Rental started", "Open the app", EMAIL, "PRIVATE KEY"]) {
        expect(JSON.stringify(lines)).not.toContain(secret);
      }
    }
  });

  test("is stored in the local outbox in development", async () => {
    await freshAccount();
    env = { ...env, ENVIRONMENT: "development" } as Env;
    const received = online(accepting);
    const id = newId();
    expect(await push(id)).toEqual({ isDone: true, note: "sent by local-outbox" });
    expect(received[FCM]).toHaveLength(0);
    const row = await testEnv.DB.prepare("select channel from local_outbox where id = ?").bind(id).first("channel");
    expect(row).toBe("push");
  });
});
