import { afterEach, expect, test, vi } from "vitest";
import { call, newEmail, newIp, readCode, signUp, verify } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { jpeg, png } from "../support/documents.ts";
import { startApp } from "./app.ts";

afterEach(() => {
  vi.useRealTimers();
});

test("deleting the account signs out once and removes the tokens", async () => {
  const app = startApp();
  await app.signUp();
  const { access } = await app.tokens();
  await app.client.auth.deleteAccount();
  expect(app.signedOut).toEqual(["deleted"]);
  expect(await app.tokens()).toBeNull();
  expect((await call("GET", "/api/auth/me", { token: access })).status).toBe(401);
});

test("a refused deletion keeps the person signed in", async () => {
  const clock = stopClock();
  const app = startApp();
  await app.signUp();
  clock.advance(11 * 60_000);
  await expect(app.client.auth.deleteAccount()).rejects.toMatchObject({ code: "reauthentication_required" });
  expect(app.signedOut).toEqual([]);
  const verification_token = await verify(app.identifier, { ip: newIp() });
  await app.client.auth.prove({ verification_token });
  await app.client.auth.deleteAccount();
  expect(app.signedOut).toEqual(["deleted"]);
});

test("tokens that an app has from before are taken over, and refreshed", async () => {
  const clock = stopClock();
  const { access, refresh, userId } = await signUp();
  const app = startApp();
  await app.client.useTokens({ access, refresh });
  expect((await app.client.me()).id).toBe(userId);
  clock.advance(16 * 60_000);
  expect((await app.client.me()).id).toBe(userId);
  expect((await app.tokens()).refresh).not.toBe(refresh);
  expect(app.signedOut).toEqual([]);
});

test("the methods for sessions, devices, identifiers, documents and the export reach their operations", async () => {
  const app = startApp();
  const { user_id } = await app.signUp();
  const { client } = app;
  expect(await client.sessions.list()).toMatchObject([{ current: true }]);
  expect(await client.sessions.endOthers()).toMatchObject({ ended: 0 });
  await expect(client.sessions.end(crypto.randomUUID())).rejects.toMatchObject({ code: "not_found" });
  expect(
    await client.registerDevice({ device_id: "phone-1", fcm_token: "t".repeat(40), device_type: "ANDROID" }),
  ).toEqual(expect.objectContaining({ device_id: "phone-1" }));
  expect(await client.identity.setLanguage("ne")).toMatchObject({ locale: "ne" });
  const email = newEmail();
  await client.identity.requestCode(email);
  const { verification_token } = await client.auth.verifyCode(email, await readCode(email));
  await client.identity.setEmail({ email, verification_token });
  expect((await client.identity.get()).email).toBe(email);
  await client.identity.removeEmail();
  expect(await client.kyc.status()).toMatchObject({ status: "NOT_SUBMITTED" });
  await client.kyc.submit({ document_number: "12-34-57", document_front: new Blob([jpeg()], { type: "image/jpeg" }) });
  await client.kyc.amend({ document_back: new Blob([png()], { type: "image/png" }) });
  expect(await client.kyc.get()).toMatchObject({ status: "PENDING", document_back_url: expect.any(String) });
  expect(await client.usage()).toMatchObject({ total_rentals: 0 });
  expect((await client.exportData()).account?.id).toBe(user_id);
});
