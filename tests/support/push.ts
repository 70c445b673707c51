import { exportPKCS8, generateKeyPair } from "jose";
import { expect } from "vitest";
import { call, type SignedIn, testEnv } from "./client.ts";
import { newId } from "./ids.ts";
import { fakeInternet, type Host } from "./internet.ts";
import { productionEnv } from "./production.ts";

const GOOGLE = "https://oauth2.googleapis.com";
const FCM = "https://fcm.googleapis.com";

const { privateKey } = await generateKeyPair("RS256", { extractable: true });
let accounts = 0;

/** A production environment with push, with its own service account. */
export async function pushEnv(): Promise<Env> {
  accounts += 1;
  const account = {
    project_id: "power-bank",
    private_key_id: `key-${accounts}`,
    private_key: await exportPKCS8(privateKey),
    client_email: "push@power-bank.iam.gserviceaccount.com",
    token_uri: `${GOOGLE}/token`,
  };
  return productionEnv({ FCM_SERVICE_ACCOUNT: JSON.stringify(account) });
}

const token: Host = () => Response.json({ access_token: "canary", expires_in: 3599, token_type: "Bearer" });

/** Replaces the network with FCM and Google's token endpoint; returns the requests to FCM. */
export const pushOnline = (fcm: Host, google: Host = token) => fakeInternet({ [GOOGLE]: google, [FCM]: fcm })[FCM];

export const takenByFcm: Host = () => Response.json({ name: "projects/power-bank/messages/1" });

export interface PushMessage {
  token: string;
  notification: { title: string; body: string };
  data: Record<string, string>;
  android: { ttl: string; notification: { tag: string } };
  apns: { headers: Record<string, string> };
  webpush: { headers: Record<string, string>; notification: { tag: string } };
}

export const pushesOf = (sent: { body: string }[] | undefined) =>
  (sent ?? []).map(({ body }) => (JSON.parse(body) as { message: PushMessage }).message);

export async function registerDevice(
  user: SignedIn,
  deviceId: string = crypto.randomUUID(),
  fcm_token = `push-${crypto.randomUUID()}`,
): Promise<string> {
  const json = { device_id: deviceId, fcm_token, device_type: "ANDROID" };
  expect((await call("POST", "/api/auth/device", { token: user.access, json })).status).toBe(200);
  return fcm_token;
}

/** Inserts a notification of the user and returns the message that requests its push. */
export async function notificationOf({ userId }: SignedIn) {
  const id = newId();
  await testEnv.DB.prepare(
    "insert into notifications (id, user_id, notification_type, title, message, created_at) values (?, ?, 'TEST', 'Hello', 'Open the app.', ?)",
  )
    .bind(id, userId, Date.now())
    .run();
  const payload = JSON.stringify({ notification_id: id });
  return { event_id: newId(), type: "push.requested", user_id: userId, payload, created_at: Date.now() };
}

export const pushTokensOf = async ({ userId }: SignedIn) =>
  (
    await testEnv.DB.prepare("select fcm_token from devices where user_id = ? and fcm_token is not null order by id")
      .bind(userId)
      .all<{ fcm_token: string }>()
  ).results.map(({ fcm_token }) => fcm_token);
