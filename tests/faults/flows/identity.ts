import { newEmail, newIp, newPhone, type SignedIn } from "../../support/client.ts";
import { flow, traceless } from "../flow-table.ts";
import { must, newUser, sql, tokenFor } from "../people.ts";

const request = (method: string, path: string, { access }: SignedIn, json?: object) => ({
  method,
  path: `/api/auth/${path}`,
  options: { token: access, ip: newIp(), ...(json ? { json } : {}) },
});

const scopeOf = (user: SignedIn, ...identifiers: string[]) => ({
  userIds: [user.userId],
  identifiers: [user.identifier, ...identifiers],
});

/** Adds a verified e-mail address to the user. */
async function withEmail(): Promise<SignedIn & { email: string }> {
  const user = await newUser();
  const email = newEmail();
  await must("PUT", "/api/auth/identity/email", {
    token: user.access,
    json: { email, verification_token: await tokenFor(email) },
  });
  return { ...user, email };
}

const proof = flow("POST auth/proof", async () => {
  const user = await newUser();
  const json = { verification_token: await tokenFor(user.identifier) };
  return { scope: scopeOf(user), request: request("POST", "proof", user, json) };
});

const read = traceless(
  flow("GET auth/identity", async () => {
    const user = await newUser();
    return { scope: scopeOf(user), request: request("GET", "identity", user) };
  }),
);

const language = flow("PATCH auth/identity", async () => {
  const user = await newUser();
  return { scope: scopeOf(user), request: request("PATCH", "identity", user, { locale: "ne" }) };
});

const addition = flow("PUT auth/identity/email", async () => {
  const user = await newUser();
  const email = newEmail();
  const json = { email, verification_token: await tokenFor(email) };
  return { scope: scopeOf(user, email), request: request("PUT", "identity/email", user, json) };
});

const replacement = flow("PUT auth/identity/phone", async () => {
  const user = await withEmail();
  const phone_number = newPhone();
  const json = { phone_number, verification_token: await tokenFor(phone_number) };
  return { scope: scopeOf(user, phone_number, user.email), request: request("PUT", "identity/phone", user, json) };
});

const removal = (kind: "email" | "phone") =>
  flow(`DELETE auth/identity/${kind}`, async () => {
    const user = await withEmail();
    return { scope: scopeOf(user, user.email), request: request("DELETE", `identity/${kind}`, user) };
  });

const dataExport = flow(
  "GET users/export",
  async () => {
    const user = await newUser();
    return {
      scope: scopeOf(user),
      request: { method: "GET", path: "/api/users/export", options: { token: user.access, ip: newIp() } },
      async onSuccess({ body }) {
        if (body.data.account.id !== user.userId) throw new Error("not the caller's data");
      },
    };
  },
  // A repetition is an export of its own.
  { mayRepeat: /^audit VIEW export|^event auth.data_exported|^notification DATA_EXPORTED/ },
);

/** The second page of an export. It is part of the first call's export, so it leaves no trace. */
const furtherExport = flow("GET users/export, a further page", async () => {
  const user = await newUser();
  await sql(
    `with recursive n (i) as (select 1 union all select i + 1 from n where i < 501)
      insert into notifications (id, user_id, notification_type, title, message, created_at)
      select ?1 || '-' || i, ?1, 'WELCOME', '', '', ?2 from n`,
    user.userId,
    Date.now(),
  );
  const path = "/api/users/export";
  const { data } = await must("GET", path, { token: user.access });
  const options = { token: user.access, ip: newIp() };
  return {
    scope: scopeOf(user),
    request: { method: "GET", path: `${path}?cursor=${encodeURIComponent(data.next_cursor)}`, options },
    async onSuccess({ body: page }) {
      if (page.data.notifications.length === 0) throw new Error("no further notification");
    },
  };
});

/** A number that was replaced, by a session that it proved itself or by another proof. */
const disputeOf = (outcome: "RESTORED" | "HELD") =>
  flow(`POST auth/identity/dispute: ${outcome}`, async () => {
    const user = await withEmail();
    const phone_number = newPhone();
    const verification_token = await tokenFor(phone_number);
    if (outcome === "HELD") {
      await sql("update sessions set proved_at = ?, proved_by = 'EMAIL' where user_id = ?", Date.now(), user.userId);
    }
    await must("PUT", "/api/auth/identity/phone", { token: user.access, json: { phone_number, verification_token } });
    const { identifier } = user;
    const json = { identifier, verification_token: await tokenFor(identifier) };
    return {
      scope: scopeOf(user, phone_number, user.email),
      request: { method: "POST", path: "/api/auth/identity/dispute", options: { ip: newIp(), json } },
      async onSuccess({ body }) {
        if (body.data.outcome !== outcome) throw new Error(body.data.outcome);
      },
    };
  });

export const identityFlows = [
  proof,
  read,
  language,
  addition,
  replacement,
  removal("email"),
  removal("phone"),
  disputeOf("RESTORED"),
  disputeOf("HELD"),
  dataExport,
  traceless(furtherExport),
];
