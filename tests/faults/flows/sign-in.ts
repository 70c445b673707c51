import { decodeJwt } from "jose";
import { call, newEmail, newIp, newPhone } from "../../support/client.ts";
import { flow, traceless, withAndWithoutKey } from "../flow-table.ts";
import {
  codeFor,
  expectEnded,
  expectLive,
  loseLiveCodes,
  must,
  newUser,
  signInAgain,
  sql,
  tokenFor,
} from "../people.ts";

const post = (path: string, json: object, more: object = {}) => ({
  method: "POST",
  path: `/api/auth/${path}`,
  options: { json, ip: newIp(), ...more },
});

const requestOf = (name: string, newIdentifier: () => string) =>
  flow(name, async () => {
    const identifier = newIdentifier();
    return { scope: { identifiers: [identifier] }, request: post("otp/request", { identifier }), repeated: [429] };
  });

/** A code that was sent, and the request that verifies it. */
const verifyFlow = flow("otp/verify", async () => {
  const identifier = newPhone();
  const otp = await codeFor(identifier);
  return {
    scope: { identifiers: [identifier] },
    request: post("otp/verify", { identifier, otp }),
    // A code consumed without success is gone; its owner requests another.
    repeated: [400],
  };
});

/** A code that KV does not name, so that a second round trip to D1 decides. */
const lateHintFlow = flow("otp/verify with a code that KV does not name", async () => {
  const identifier = newPhone();
  const otp = await codeFor(identifier);
  await loseLiveCodes(identifier);
  return { scope: { identifiers: [identifier] }, request: post("otp/verify", { identifier, otp }), repeated: [400] };
});

/** Repeats the call with its key, which returns the same token again. */
const repeatedVerify = flow(
  "otp/verify repeated under its key",
  async () => {
    const identifier = newPhone();
    const json = { identifier, otp: await codeFor(identifier) };
    const options = { json, ip: newIp(), headers: { "Idempotency-Key": `key-of-${identifier}` } };
    const { data } = await must("POST", "/api/auth/otp/verify", options);
    return {
      scope: { identifiers: [identifier] },
      request: { method: "POST", path: "/api/auth/otp/verify", options },
      async onSuccess({ body }) {
        if (body.data.verification_token !== data.verification_token) throw new Error("another token");
      },
    };
  },
  { changesNothing: true },
);

const registerFlow = flow("register", async () => {
  const identifier = newPhone();
  const inviter = await newUser();
  const [row] = await sql<{ code: string }>("select referral_code as code from users where id = ?", inviter.userId);
  const json = { identifier, verification_token: await tokenFor(identifier), referral_code: row?.code };
  return { scope: { identifiers: [identifier] }, request: post("register", json), success: 201 };
});

const loginFlow = flow("login", async () => {
  const user = await newUser();
  const json = { identifier: user.identifier, verification_token: await tokenFor(user.identifier) };
  return {
    scope: { userIds: [user.userId], identifiers: [user.identifier] },
    request: post("login", json, { headers: { "user-agent": "a device not seen before" } }),
    afterwards: () => expectLive(user),
  };
});

/** A forged token with the key of an earlier login. */
const forgedFlow = flow(
  "login with a forged token and a used key",
  async () => {
    const user = await newUser();
    const headers = { "Idempotency-Key": `key-of-${user.identifier}` };
    const json = { identifier: user.identifier, verification_token: await tokenFor(user.identifier) };
    await must("POST", "/api/auth/login", { json, headers, ip: newIp() });
    const forged = { identifier: user.identifier, verification_token: "forged" };
    return { scope: { userIds: [user.userId] }, request: post("login", forged, { headers }), success: 409 };
  },
  { changesNothing: true },
);

const wakeFlow = flow("login to an inactive account", async () => {
  const user = await newUser();
  const json = { identifier: user.identifier, verification_token: await tokenFor(user.identifier) };
  await sql("update users set status = 'INACTIVE', status_reason = 'inactivity' where id = ?", user.userId);
  await sql("delete from sessions where user_id = ?", user.userId);
  return { scope: { userIds: [user.userId], identifiers: [user.identifier] }, request: post("login", json) };
});

const refreshFlow = flow("refresh", async () => {
  const user = await newUser();
  return {
    scope: { userIds: [user.userId] },
    request: post("refresh", { refresh_token: user.refresh }),
    async onSuccess({ body }) {
      const me = await call("GET", "/api/auth/me", { token: body.access });
      if (me.status !== 200) throw new Error(`the fresh access token was refused: ${me.status}`);
    },
  };
});

/** Wrong codes until the network is locked. */
const lockFlow = flow(
  "a fifth wrong code",
  async () => {
    const user = await newUser();
    const ip = newIp();
    const otp = await codeFor(user.identifier);
    const wrong = otp === "111111" ? "222222" : "111111";
    const json = { identifier: user.identifier, otp: wrong };
    for (let i = 0; i < 4; i++) await call("POST", "/api/auth/otp/verify", { ip, json });
    return {
      scope: { userIds: [user.userId], identifiers: [user.identifier] },
      request: { ...post("otp/verify", json), options: { ip, json } },
      success: 400,
      repeated: [429],
    };
  },
  // Attempts are counted before the comparison, so a failed call costs one too.
  { mayAnswer: () => [429], mayRepeat: /^locked|lockout|LOCKOUT/ },
);

const logoutFlow = flow("logout", async () => {
  const user = await newUser();
  return {
    scope: { userIds: [user.userId] },
    request: post("logout", { refresh_token: user.refresh }, { token: user.access }),
    repeated: [401],
    onSuccess: () => expectEnded(user),
    afterwards: () => expectEnded(user),
  };
});

/** One user on three devices. */
async function threeDevices() {
  const first = await newUser();
  return [first, await signInAgain(first), await signInAgain(first)] as const;
}

const endOne = flow("end one session", async () => {
  const [own, other, third] = await threeDevices();
  return {
    scope: { userIds: [own.userId] },
    request: {
      method: "DELETE",
      path: `/api/auth/sessions/${decodeJwt(other.access).sid}`,
      options: { token: own.access },
    },
    repeated: [404],
    onSuccess: () => expectEnded(other),
    async afterwards() {
      await expectEnded(other);
      await expectLive(own, third);
    },
  };
});

const endOthers = flow("end all other sessions", async () => {
  const [own, ...others] = await threeDevices();
  return {
    scope: { userIds: [own.userId] },
    request: { method: "DELETE", path: "/api/auth/sessions", options: { token: own.access } },
    onSuccess: () => expectEnded(...others),
    async afterwards() {
      await expectEnded(...others);
      await expectLive(own);
    },
  };
});

const reuse = flow("a refresh token shown too late", async () => {
  const user = await newUser();
  const { refresh } = await must("POST", "/api/auth/refresh", { json: { refresh_token: user.refresh } });
  await must("POST", "/api/auth/refresh", { json: { refresh_token: refresh } });
  return {
    scope: { userIds: [user.userId] },
    request: post("refresh", { refresh_token: user.refresh }),
    success: 401,
    onSuccess: () => expectEnded(user),
  };
});

const deletion = flow("account deletion", async () => {
  const user = await newUser();
  return {
    scope: { userIds: [user.userId], identifiers: [user.identifier] },
    request: { method: "DELETE", path: "/api/auth/account", options: { token: user.access } },
    repeated: [401],
    onSuccess: () => expectEnded(user),
  };
});

const device = flow("device", async () => {
  const user = await newUser();
  const json = { device_id: "phone", fcm_token: `push-${crypto.randomUUID()}`, device_type: "ANDROID" };
  return { scope: { userIds: [user.userId] }, request: post("device", json, { token: user.access }) };
});

/** A push token registered by another user. */
const movedDevice = flow("device with another user's token", async () => {
  const [user, other] = [await newUser(), await newUser()];
  const json = { device_id: "phone", fcm_token: `push-${crypto.randomUUID()}`, device_type: "IOS" };
  await must("POST", "/api/auth/device", { token: other.access, json });
  return { scope: { userIds: [user.userId, other.userId] }, request: post("device", json, { token: user.access }) };
});

const read = (path: string) =>
  flow(`GET ${path}`, async () => {
    const user = await newUser();
    return {
      scope: { userIds: [user.userId] },
      request: { method: "GET", path: `/api/${path}`, options: { token: user.access } },
    };
  });

export const signInFlows = [
  ...withAndWithoutKey(requestOf("otp/request by phone", newPhone)),
  requestOf("otp/request by e-mail", newEmail),
  ...withAndWithoutKey(verifyFlow),
  lateHintFlow,
  repeatedVerify,
  ...withAndWithoutKey(registerFlow),
  ...withAndWithoutKey(loginFlow),
  forgedFlow,
  wakeFlow,
  ...withAndWithoutKey(refreshFlow),
  reuse,
  lockFlow,
  logoutFlow,
  endOne,
  endOthers,
  deletion,
  device,
  movedDevice,
  ...["auth/me", "auth/sessions", "users/profile", "users/notifications", "users/wallet"].map(read).map(traceless),
  ...["users/analytics/usage-stats", "users/kyc/status"].map(read).map(traceless),
];
