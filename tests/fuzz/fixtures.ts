import { decodeJwt } from "jose";
import { Authenticator } from "../support/authenticator.ts";
import { newEmail, newIp, newPhone, readCode, type SignedIn, verify } from "../support/client.ts";
import { run } from "../support/database.ts";
import { file, jpeg, png } from "../support/documents.ts";
import { newNumber, promote, submit } from "../support/kyc.ts";
import { CLIENTS, ISSUERS, newPerson as newSocialPerson, signText } from "../support/openid.ts";
import { addPasskey, ownOptions, signInOptions } from "../support/passkeys.ts";
import type { Fields } from "./cases.ts";
import { send } from "./check.ts";
import { addNotification, newPerson, type Stage } from "./stage.ts";

/** Preparations for a valid request that the document cannot express: a state, and values that match it. */
export interface Fixture {
  /** Replaces generated fields. */
  fields?: Fields;
  segments?: Record<string, string>;
  query?: Record<string, string>;
  files?: Record<string, File>;
  /** The caller, if it must not be one of the actors. */
  caller?: SignedIn;
  /** Statuses that a valid request may get in addition to the documented success. */
  alsoAllowed?: number[];
}

type Prepare = (stage: Stage) => Promise<Fixture>;

const sidOf = ({ access }: SignedIn) => String(decodeJwt(access).sid);

const byNewcomer: Prepare = async (stage) => ({ caller: await newPerson(stage) });

async function social(stage: Stage, name: "google" | "apple"): Promise<Fixture> {
  return { fields: await stage.providers.nativeSignIn(name, newSocialPerson(name)) };
}

const link =
  (name: "google" | "apple"): Prepare =>
  async (stage) => ({
    ...(await social(stage, name)),
    caller: await newPerson(stage),
  });

const withNotification: Prepare = async ({ actors }) => ({
  caller: actors.user,
  segments: { id: await addNotification(actors.user) },
});

const onTarget: Prepare = async ({ target }) => ({ segments: { id: target.userId } });

/** Staff actions on a user that no other test touches. */
const onNewcomer: Prepare = async (stage) => ({ segments: { id: (await newPerson(stage)).userId } });

/** A new user with a passkey. */
async function passkeyOwner(stage: Stage) {
  const caller = await newPerson(stage);
  return { caller, ...(await addPasskey(caller, { options: { env: stage.env, ip: newIp() } })) };
}

const onOwnPasskey: Prepare = async (stage) => {
  const { caller, passkey } = await passkeyOwner(stage);
  return { caller, segments: { id: passkey.id } };
};

/** Operations that need preparation for a valid request. */
export const fixtures: Readonly<Record<string, Prepare>> = {
  "POST /api/auth/otp/request": async () => ({ alsoAllowed: [429] }),
  "POST /api/auth/otp/verify": async ({ env }) => {
    const identifier = newEmail();
    await send("POST", "/api/auth/otp/request", { env, ip: newIp(), json: { identifier } });
    return { fields: { identifier, otp: await readCode(identifier) } };
  },
  "POST /api/auth/register": async ({ env }) => {
    const identifier = newEmail();
    return {
      fields: { identifier, verification_token: await verify(identifier, { env, ip: newIp() }) },
      alsoAllowed: [409],
    };
  },
  "POST /api/auth/login": async (stage) => {
    const { identifier } = await newPerson(stage);
    // Another network, because the waiting time of the first one has started.
    const verification_token = await proveAgain(stage, identifier);
    return { fields: { identifier, verification_token } };
  },
  "POST /api/auth/passkey/login": async (stage) => {
    const { authenticator } = await passkeyOwner(stage);
    return { fields: { credential: await authenticator.assert(await signInOptions({ env: stage.env })) } };
  },
  "POST /api/auth/passkeys/options": async (stage) => ({ caller: (await passkeyOwner(stage)).caller }),
  "POST /api/auth/passkeys": async (stage) => {
    const caller = await newPerson(stage);
    const options = await ownOptions(caller, "REGISTER", { env: stage.env, ip: newIp() });
    return { caller, fields: { credential: await (await Authenticator.create()).register(options) } };
  },
  "PATCH /api/auth/passkeys/{id}": onOwnPasskey,
  "DELETE /api/auth/passkeys/{id}": onOwnPasskey,
  "POST /api/auth/refresh": async (stage) => ({
    fields: { refresh: (await newPerson(stage)).refresh, refresh_token: null },
  }),
  "POST /api/auth/logout": async (stage) => {
    const caller = await newPerson(stage);
    return { caller, fields: { refresh_token: caller.refresh, refresh: null } };
  },
  "GET /api/auth/google/login": async () => ({ query: {} }),
  "GET /api/auth/apple/login": async () => ({ query: {} }),
  "POST /api/auth/google/token": (stage) => social(stage, "google"),
  "POST /api/auth/apple/token": (stage) => social(stage, "apple"),
  "POST /api/auth/apple/notifications": async () => ({
    fields: {
      payload: await signText(
        JSON.stringify({ iss: ISSUERS.apple, aud: CLIENTS.apple.ios, iat: 1, jti: crypto.randomUUID(), events: "{}" }),
      ),
    },
  }),
  "POST /api/auth/google/link": link("google"),
  "POST /api/auth/apple/link": link("apple"),
  "POST /api/auth/proof": async (stage) => {
    const caller = await newPerson(stage);
    return { caller, fields: { verification_token: await proveAgain(stage, caller.identifier), credential: null } };
  },
  "PUT /api/auth/identity/email": async (stage) => {
    const email = newEmail();
    const verification_token = await verify(email, { env: stage.env, ip: newIp() });
    return { caller: await newPerson(stage), fields: { email, verification_token } };
  },
  "PUT /api/auth/identity/phone": async (stage) => {
    const phone_number = newPhone();
    const verification_token = await verify(phone_number, { env: stage.env, ip: newIp() });
    return { caller: await newPerson(stage), fields: { phone_number, verification_token } };
  },
  "DELETE /api/auth/identity/email": async (stage) => {
    const caller = await newPerson(stage);
    await addPhone(caller);
    return { caller };
  },
  "DELETE /api/auth/identity/phone": byNewcomer,
  "POST /api/auth/identity/dispute": async (stage) => {
    const person = await newPerson(stage);
    const { identifier } = person;
    await replaceAddress(person);
    return { fields: { identifier, verification_token: await proveAgain(stage, identifier), credential: undefined } };
  },
  "DELETE /api/auth/account": byNewcomer,
  "DELETE /api/auth/sessions": byNewcomer,
  "DELETE /api/auth/sessions/{id}": async (stage) => {
    const caller = await newPerson(stage);
    return { caller, segments: { id: sidOf(caller) } };
  },
  "GET /api/users/export": byNewcomer,
  "GET /api/users/notifications/{id}": withNotification,
  "POST /api/users/notifications/{id}/read": withNotification,
  "POST /api/users/kyc": async (stage) => ({
    caller: await newPerson(stage),
    files: { document_front: file(jpeg()), document_back: file(png()) },
  }),
  "PATCH /api/users/kyc": async () => ({ fields: { document_number: newNumber() } }),
  "PATCH /api/users/{id}/kyc": async (stage) => {
    const person = await newPerson(stage);
    await submit(person, undefined, { env: stage.env, origin: "https://api.example.com" });
    return {
      segments: { id: person.userId },
      fields: { status: "REJECTED", rejection_code: "UNREADABLE", rejection_reason: "blurred", version: null },
    };
  },
  "POST /api/users": async () => ({ alsoAllowed: [409] }),
  "POST /console/session": async (stage) => {
    // Not one of the actors, whose oldest session would end with the eleventh.
    const person = await newPerson(stage);
    await promote(person);
    const { identifier } = person;
    return { fields: { identifier, verification_token: await proveAgain(stage, identifier), credential: undefined } };
  },
  "GET /api/users/{id}": onTarget,
  "GET /api/staff/audit-logs": async ({ target }) => ({ query: { actor_id: target.userId } }),
  "POST /api/staff/dead-letters": async () => ({ fields: { ids: ["none"], before: "2026-01-01T00:00:00Z" } }),
  "GET /api/users/{id}/access": onTarget,
  "GET /api/users/{id}/kyc": onTarget,
  "POST /api/users/{id}/reveal": onTarget,
  "POST /api/users/{id}/notes": onTarget,
  "GET /api/users/{id}/sessions": onTarget,
  "GET /api/users/{id}/audit-logs": onTarget,
  "POST /api/users/{id}/analytics-report": onTarget,
  "POST /api/users/{id}/unlock": onTarget,
  "PUT /api/users/{id}": async ({ target }) => ({
    segments: { id: target.userId },
    fields: { reason: "Asked by phone" },
  }),
  "PATCH /api/users/{id}": async ({ target }) => ({
    segments: { id: target.userId },
    fields: { reason: "Asked by phone" },
  }),
  "POST /api/users/{id}/status": async (stage) => ({
    ...(await onNewcomer(stage)),
    fields: { reason: "Asked by phone" },
  }),
  "PUT /api/users/{id}/role": onNewcomer,
  "POST /api/users/{id}/passkey-reset": async (stage) => ({
    segments: { id: (await passkeyOwner(stage)).caller.userId },
    fields: { reason: "Lost phone" },
  }),
  "DELETE /api/users/{id}/sessions": onNewcomer,
};

/** Gives the user a verified phone number too. */
const addPhone = ({ userId }: SignedIn) =>
  run("update users set phone_number = ?, phone_verified = 1 where id = ?", newPhone(), userId);

/** Replaces the user's address, as by a change a moment ago that was proved by the old address. */
async function replaceAddress({ identifier, userId }: SignedIn) {
  await run("update users set email = ? where id = ?", newEmail(), userId);
  await run(
    `insert into identity_changes (id, user_id, number, kind, old_identifier, new_identifier, proved_by, is_proved_by_old, created_at)
      values (?1, ?1, 1, 'email', ?2, 'new', 'EMAIL', 1, ?3)`,
    userId,
    identifier,
    Date.now(),
  );
}

async function proveAgain({ env }: Stage, identifier: string): Promise<string> {
  await run("delete from otp_challenges where identifier = ?", identifier);
  await run("delete from local_outbox where recipient = ?", identifier);
  return verify(identifier, { env, ip: newIp() });
}

/** Operations whose success other tests cover: browser callbacks, signed links, and a report that must exist. */
export const elsewhere: readonly string[] = [
  "GET /api/auth/social/success",
  "POST /api/auth/social/success",
  "DELETE /api/auth/google/link",
  "DELETE /api/auth/apple/link",
  "GET /api/auth/google/start",
  "GET /api/auth/apple/start",
  "GET /api/auth/google/callback",
  "POST /api/auth/apple/callback",
  "GET /api/auth/social/error",
  "GET /api/users/kyc/documents/{id}",
  "GET /api/users/{id}/analytics-report",
  "GET /api/auth/debug/headers",
];
