import { must, newUser, signInAgain, sql, tokenFor } from "../../faults/people.ts";
import { newEmail, newIp, newPhone, type SignedIn } from "../../support/client.ts";
import { type Case, given, type Stage } from "../case.ts";
import { floodOf, staleUser } from "./sign-in-cases.ts";

const EMAIL = "/api/auth/identity/email";
const PHONE = "/api/auth/identity/phone";
const DISPUTE = "POST /api/auth/identity/dispute";

const put = async (user: SignedIn, email = newEmail(), verification_token?: string) => ({
  token: user.access,
  ip: newIp(),
  json: { email, verification_token: verification_token ?? (await tokenFor(email)) },
});

/** A user with a second way to sign in, another session, and a phone number whose change can be undone. */
export async function changedUser({ env }: Stage) {
  const user = await newUser(env);
  const phone_number = newPhone();
  await signInAgain(user, env);
  await must("PUT", PHONE, {
    token: user.access,
    env,
    json: { phone_number, verification_token: await tokenFor(phone_number) },
  });
  await must("PUT", EMAIL, { env, ...(await put(user)) });
  return { ...user, phone_number };
}

const changes: Case[] = [
  given(`PUT ${EMAIL}`, "as an addition", async ({ env }) => put(await newUser(env))),
  given(`PUT ${PHONE}`, "as a replacement that ends a session", async (stage) => {
    const user = await changedUser(stage);
    const phone_number = newPhone();
    return { token: user.access, json: { phone_number, verification_token: await tokenFor(phone_number) } };
  }),
  given(`PUT ${EMAIL}`, "of a user whose sign-in is too old", async (stage) => put(await staleUser(stage))),
  given(`PUT ${PHONE}`, "of a user whose sign-in is too old", async (stage) => {
    const phone_number = newPhone();
    const json = { phone_number, verification_token: await tokenFor(phone_number) };
    return { token: (await staleUser(stage)).access, json };
  }),
  given(`PUT ${EMAIL}`, "with a forged token", async ({ env }) => put(await newUser(env), newEmail(), "forged")),
  given(`PUT ${PHONE}`, "with a forged token", async ({ env }) => ({
    token: (await newUser(env)).access,
    json: { phone_number: newPhone(), verification_token: "forged" },
  })),
  ...[EMAIL, PHONE].flatMap((path) =>
    (["PUT", "DELETE"] as const).map((method) =>
      given(`${method} ${path}`, "by staff without a passkey", async (stage) => {
        const [field, value] = path === EMAIL ? ["email", newEmail()] : ["phone_number", newPhone()];
        await sql("update sessions set created_at = ? where user_id = ?", Date.now(), stage.staff.userId);
        const json = { [field as string]: value, verification_token: await tokenFor(value as string) };
        return { token: stage.staff.access, ...(method === "PUT" ? { json } : {}) };
      }),
    ),
  ),
  ...[EMAIL, PHONE].map((path) =>
    given(`PUT ${path}`, "of another account", async ({ env }) => {
      const [field, value] = path === EMAIL ? ["email", "crowd0@example.org"] : ["phone_number", "+9779700000000"];
      const json = { [field as string]: value, verification_token: await tokenFor(value as string) };
      return { token: (await newUser(env)).access, json };
    }),
  ),
  ...[EMAIL, PHONE].map((path) =>
    given(`PUT ${path}`, "beyond the day's changes", async (stage) => {
      const user = await newUser(stage.env);
      await sql(
        `insert into identity_changes (id, user_id, number, kind, proved_by, is_proved_by_old, created_at)
          select ?1 || value, ?1, value + 9, 'email', 'PHONE', 0, ?2 from json_each('[1,2,3,4,5]')`,
        user.userId,
        Date.now(),
      );
      const [field, value] = path === EMAIL ? ["email", newEmail()] : ["phone_number", newPhone()];
      return { token: user.access, json: { [field as string]: value, verification_token: "x" } };
    }),
  ),
  given(`PUT ${PHONE}`, "that left another account", async (stage) => {
    const { identifier } = await changedUser(stage);
    const json = { phone_number: identifier, verification_token: await tokenFor(identifier) };
    return { token: (await newUser(stage.env)).access, json };
  }),
  given(`PUT ${EMAIL}`, "that left another account", async ({ env }) => {
    const user = await newUser(env);
    const email = newEmail();
    await must("PUT", EMAIL, { env, ...(await put(user, email)) });
    await must("DELETE", EMAIL, { env, token: user.access });
    return put(await newUser(env), email);
  }),
  given(`DELETE ${PHONE}`, "with another way to sign in", async (stage) => ({
    token: (await changedUser(stage)).access,
  })),
  given(`DELETE ${EMAIL}`, "with another way to sign in", async (stage) => ({
    token: (await changedUser(stage)).access,
  })),
  given(`DELETE ${PHONE}`, "as the last way to sign in", async ({ env }) => ({ token: (await newUser(env)).access })),
  given(`DELETE ${EMAIL}`, "as the last way to sign in", async ({ env }) => {
    const user = await newUser(env);
    await must("PUT", EMAIL, { env, ...(await put(user)) });
    await sql("update users set phone_verified = 0 where id = ?", user.userId);
    return { token: user.access };
  }),
  ...[EMAIL, PHONE].map((path) =>
    given(`DELETE ${path}`, "beyond the day's changes", async (stage) => {
      const user = await changedUser(stage);
      await sql(
        `insert into identity_changes (id, user_id, number, kind, proved_by, is_proved_by_old, created_at)
          select ?1 || value, ?1, value + 9, 'email', 'PHONE', 0, ?2 from json_each('[1,2,3]')`,
        user.userId,
        Date.now(),
      );
      return { token: user.access };
    }),
  ),
];

const proofs: Case[] = [
  given("POST /api/auth/proof", "with an own token", async ({ user }) => ({
    token: user.access,
    json: { verification_token: await tokenFor(user.identifier) },
  })),
  given("POST /api/auth/proof", "with another's token", async ({ user, target }) => ({
    token: user.access,
    json: { verification_token: await tokenFor(target.identifier) },
  })),
  given("GET /api/auth/identity", "with a long history", async ({ user }) => ({ token: user.access })),
  given("PATCH /api/auth/identity", "to another language", async ({ env }) => ({
    token: (await newUser(env)).access,
    json: { locale: "ne" },
  })),
];

const EXPORT = "GET /api/users/export";

const exports: Case[] = [
  given(EXPORT, "with a long history", async ({ user }) => {
    await sql("update sessions set proved_at = ?, proved_by = 'PHONE' where user_id = ?", Date.now(), user.userId);
    await sql("delete from audit_logs where user_id = ? and entity_type = 'export'", user.userId);
    return { token: user.access };
  }),
  given(EXPORT, "with a forged cursor", async ({ user }) => ({ token: user.access, query: "cursor=x" })),
  given(EXPORT, "of a user whose sign-in is too old", async (stage) => ({ token: (await staleUser(stage)).access })),
  given(EXPORT, "beyond the day's exports", async ({ env }) => {
    const user = await newUser(env);
    for (let i = 0; i < 3; i++) await must("GET", "/api/users/export", { token: user.access, env });
    return { token: user.access };
  }),
];

const disputed = async (identifier: string) => ({
  ip: newIp(),
  json: { identifier, verification_token: await tokenFor(identifier) },
});

const disputes: Case[] = [
  given(DISPUTE, "of a change that the number proved", async (stage) =>
    disputed((await changedUser(stage)).identifier),
  ),
  given(DISPUTE, "of a change that something else proved", async (stage) => {
    const user = await changedUser(stage);
    await sql("update identity_changes set is_proved_by_old = 0 where user_id = ?", user.userId);
    return disputed(user.identifier);
  }),
  given(DISPUTE, "of a closed account", async (stage) => {
    const user = await changedUser(stage);
    await sql("update users set status = 'BANNED', status_reason = 'staff' where id = ?", user.userId);
    return disputed(user.identifier);
  }),
  given(DISPUTE, "without a change", async () => disputed(newPhone())),
  floodOf(DISPUTE, { identifier: "98", verification_token: "x" }),
  given(DISPUTE, "with a forged token", async () => ({
    json: { identifier: newPhone(), verification_token: "forged" },
  })),
];

const reserved: Case[] = (["register", "login"] as const).map((route) =>
  given(`POST /api/auth/${route}`, "with a number that left another account", async (stage) =>
    disputed((await changedUser(stage)).identifier),
  ),
);

export const identityCases: Case[] = [...changes, ...proofs, ...exports, ...disputes, ...reserved];
