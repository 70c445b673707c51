import { newUser, signInAgain, sql } from "../../faults/people.ts";
import { Authenticator } from "../../support/authenticator.ts";
import { newIp, type SignedIn } from "../../support/client.ts";
import { addPasskey, logInWith, ownOptions, signInOptions } from "../../support/passkeys.ts";
import { type Case, given, NOBODY, type Stage } from "../case.ts";
import { floodOf, staleUser } from "./sign-in-cases.ts";

const LOGIN = "POST /api/auth/passkey/login";
const PASSKEYS = "POST /api/auth/passkeys";
const PASSKEY = "/api/auth/passkeys/{id}";
export const NO_PASSKEYS = {
  PASSKEY_RP_ID: "",
  PASSKEY_ORIGINS: "",
  PASSKEY_IOS_APPS: "",
  PASSKEY_ANDROID_APPS: "",
  STAFF_PASSKEYS: "",
};

/** A user with a passkey, created in the environment of the stage. */
async function owner({ env }: Stage, made: Parameters<typeof addPasskey>[1] = {}) {
  const user = await newUser(env);
  return { user, ...(await addPasskey(user, { ...made, options: { env, ip: newIp() } })) };
}

const assertion = async (authenticator: Authenticator, stage: Stage, overrides = {}) =>
  authenticator.assert(await signInOptions({ env: stage.env }), overrides);

const registration = async (user: SignedIn, { env }: Stage, overrides = {}) =>
  (await Authenticator.create()).register(await ownOptions(user, "REGISTER", { env, ip: newIp() }), overrides);

const login = (what: string, prepare: (stage: Stage) => Promise<object>) =>
  given(LOGIN, what, async (stage) => ({ ip: newIp(), ...(await prepare(stage)) }));

const signIns: Case[] = [
  given("POST /api/auth/passkey/options", "where passkeys are not offered", async ({ env }) => ({
    ip: newIp(),
    env: { ...env, ...NO_PASSKEYS } as Partial<Env>,
  })),
  login("with a passkey", async (stage) => {
    const { authenticator } = await owner(stage);
    return { json: { credential: await assertion(authenticator, stage) } };
  }),
  login("with the passkey of a user with a long history", async (stage) => {
    const { user, env } = stage;
    const { authenticator } = await addPasskey(await signInAgain(user, env), { options: { env, ip: newIp() } });
    return { json: { credential: await assertion(authenticator, stage) } };
  }),
  floodOf(LOGIN, {}),
  login("again", async (stage) => {
    const credential = await assertion((await owner(stage)).authenticator, stage);
    await logInWith(credential, { env: stage.env });
    return { json: { credential } };
  }),
  login("again under its key", async (stage) => {
    const credential = await assertion((await owner(stage)).authenticator, stage);
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    await logInWith(credential, { env: stage.env, headers });
    return { json: { credential }, headers };
  }),
  login("with another body under a bound key", async (stage) => {
    const { authenticator } = await owner(stage);
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    await logInWith(await assertion(authenticator, stage), { env: stage.env, headers });
    return { json: { credential: await assertion(authenticator, stage) }, headers };
  }),
  login("with an unknown passkey", async (stage) => ({
    json: { credential: await assertion(await Authenticator.create(), stage) },
  })),
  login("with a challenge that this service did not issue", async (stage) => ({
    json: { credential: await (await owner(stage)).authenticator.assert({ challenge: "x".repeat(72) }) },
  })),
  login("with a wrong signature", async (stage) => ({
    json: { credential: await assertion((await owner(stage)).authenticator, stage, { sign: () => Uint8Array.of(1) }) },
  })),
  login("with a counter that did not grow", async (stage) => {
    const { authenticator, user } = await owner(stage, { isSynced: false });
    await sql("update passkeys set counter = 100 where user_id = ?", user.userId);
    return { json: { credential: await assertion(authenticator, stage) } };
  }),
  login("to a deactivated account", async (stage) => {
    const { authenticator, user } = await owner(stage);
    await sql("update users set status = 'BANNED', status_reason = 'staff' where id = ?", user.userId);
    return { json: { credential: await assertion(authenticator, stage) } };
  }),
  login("to an inactive account", async (stage) => {
    const { authenticator, user } = await owner(stage);
    await sql("update users set status = 'INACTIVE', status_reason = 'inactivity' where id = ?", user.userId);
    return { json: { credential: await assertion(authenticator, stage) } };
  }),
  login("where passkeys are not offered", async (stage) => ({
    json: { credential: await assertion((await owner(stage)).authenticator, stage) },
    env: { ...stage.env, ...NO_PASSKEYS } as Partial<Env>,
  })),
];

/** Ten passkeys, of which the last was added today. */
async function fullOwner(stage: Stage) {
  const found = await owner(stage);
  await sql(
    `insert into passkeys (id, user_id, credential_id, public_key, counter, aaguid, is_backup_eligible, is_synced,
      created_at) select p.id || n.value, user_id, credential_id || n.value, public_key, 0, aaguid, 1, 1, 0
      from passkeys p, json_each('[1,2,3,4,5,6,7,8,9]') n where user_id = ?`,
    found.user.userId,
  );
  return found;
}

const REGISTER = { json: { purpose: "REGISTER" } };
const OPTIONS = "POST /api/auth/passkeys/options";
const own: Case[] = [
  given(OPTIONS, "to add one", async ({ user, env }) => ({
    token: (await signInAgain(user, env)).access,
    env,
    ...REGISTER,
  })),
  given(OPTIONS, "to prove the session", async (stage) => ({
    token: (await owner(stage)).user.access,
    json: { purpose: "PROOF" },
  })),
  given(OPTIONS, "without a passkey", async ({ env }) => ({
    token: (await newUser(env)).access,
    json: { purpose: "PROOF" },
  })),
  given(OPTIONS, "long after the sign-in", async (stage) => ({ token: (await staleUser(stage)).access, ...REGISTER })),
  given(OPTIONS, "with ten passkeys", async (stage) => ({ token: (await fullOwner(stage)).user.access, ...REGISTER })),
  given(PASSKEYS, "with a new one", async (stage) => {
    const user = await newUser(stage.env);
    return { token: user.access, json: { credential: await registration(user, stage) } };
  }),
  given(PASSKEYS, "long after the sign-in", async (stage) => {
    const user = await newUser(stage.env);
    const credential = await registration(user, stage);
    await sql("update sessions set created_at = created_at - 3600000 where user_id = ?", user.userId);
    return { token: user.access, json: { credential } };
  }),
  given(PASSKEYS, "with ten passkeys", async (stage) => {
    const user = await newUser(stage.env);
    const credential = await registration(user, stage);
    await sql(
      `insert into passkeys (id, user_id, credential_id, public_key, counter, aaguid, is_backup_eligible, is_synced,
        created_at) select ?1 || value, ?1, ?1 || value, '', 0, '', 1, 1, 0
        from json_each('[0,1,2,3,4,5,6,7,8,9]')`,
      user.userId,
    );
    return { token: user.access, json: { credential } };
  }),
  given(PASSKEYS, "beyond the daily limit", async (stage) => {
    const user = await newUser(stage.env);
    const credential = await registration(user, stage);
    const [row] = await sql<{ id: string }>("select id from audit_logs where user_id = ? limit 1", user.userId);
    await sql(
      `insert into audit_logs (id, user_id, action, entity_type, entity_id, by_staff, created_at)
        select ?1 || value, ?2, 'CREATE', 'passkey', '', 0, ?3 from json_each('[0,1,2,3,4,5,6,7,8,9]')`,
      row?.id,
      user.userId,
      Date.now(),
    );
    return { token: user.access, json: { credential } };
  }),
  given(PASSKEYS, "that is not valid", async (stage) => {
    const user = await newUser(stage.env);
    return {
      token: user.access,
      json: { credential: await registration(user, stage, { origin: "https://a.example" }) },
    };
  }),
  given(PASSKEYS, "where passkeys are not offered", async (stage) => {
    const user = await newUser(stage.env);
    const env = { ...stage.env, ...NO_PASSKEYS } as Partial<Env>;
    return { token: user.access, json: { credential: await registration(user, stage) }, env };
  }),
  given(`PATCH ${PASSKEY}`, "of one's own", async (stage) => {
    const { user, passkey } = await owner(stage);
    return { token: user.access, id: passkey.id, json: { name: "Laptop" } };
  }),
  given(`PATCH ${PASSKEY}`, "of nobody", async ({ user }) => ({
    token: user.access,
    id: NOBODY,
    json: { name: "Laptop" },
  })),
  given(`DELETE ${PASSKEY}`, "of one's own", async (stage) => {
    const { user, passkey } = await owner(stage);
    return { token: user.access, id: passkey.id };
  }),
  given(`DELETE ${PASSKEY}`, "of nobody", async ({ user }) => ({ token: user.access, id: NOBODY })),
  given(`DELETE ${PASSKEY}`, "long after the sign-in", async (stage) => {
    const { user, passkey } = await owner(stage);
    await sql("update sessions set created_at = created_at - 3600000 where user_id = ?", user.userId);
    return { token: user.access, id: passkey.id };
  }),
  given(`DELETE ${PASSKEY}`, "that is the last way to sign in", async (stage) => {
    const { user, passkey } = await owner(stage);
    await sql("update users set phone_verified = 0 where id = ?", user.userId);
    return { token: user.access, id: passkey.id };
  }),
];

const PROOF = "POST /api/auth/proof";
const proofs: Case[] = [
  given(PROOF, "by passkey", async (stage) => {
    const { user, authenticator } = await owner(stage);
    const options = await ownOptions(user, "PROOF", { env: stage.env, ip: newIp() });
    return { token: user.access, json: { credential: await authenticator.assert(options) } };
  }),
  given(PROOF, "by a passkey of somebody else", async (stage) => {
    const [{ user }, { authenticator }] = [await owner(stage), await owner(stage)];
    const options = await ownOptions(user, "PROOF", { env: stage.env, ip: newIp() });
    return { token: user.access, json: { credential: await authenticator.assert(options) } };
  }),
  given(PROOF, "by a passkey with the challenge of a sign-in", async (stage) => {
    const { user, authenticator } = await owner(stage);
    return { token: user.access, json: { credential: await assertion(authenticator, stage) } };
  }),
  given(PROOF, "by passkey where passkeys are not offered", async (stage) => {
    const { user, authenticator } = await owner(stage);
    const env = { ...stage.env, ...NO_PASSKEYS } as Partial<Env>;
    return { token: user.access, json: { credential: await assertion(authenticator, stage) }, env };
  }),
];

export const passkeyCases: Case[] = [...signIns, ...own, ...proofs];
