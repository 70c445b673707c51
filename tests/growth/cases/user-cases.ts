import { must, newUser, sql } from "../../faults/people.ts";
import { call, newEmail, newPhone, type SignedIn, testEnv } from "../../support/client.ts";
import { newId } from "../../support/ids.ts";
import { whole } from "../../support/kyc.ts";
import { type Case, given, NOBODY, PLAIN_HTTP, type Stage } from "../case.ts";
import { exhaustedRateLimiter } from "./common.ts";
import { NO_PASSKEYS } from "./passkey-cases.ts";

const reason = "Asked by phone";
const KYC = "/api/users/kyc";

/** A user with a submission, created in the environment of the stage. */
async function applicant({ env }: Stage, status?: string): Promise<SignedIn> {
  const user = await newUser(env);
  await must("POST", KYC, { token: user.access, multipart: whole(), env });
  if (status) await sql("update kyc set status = ? where user_id = ?", status, user.userId);
  return user;
}

/** Inserts the maximum number of uploads of today. */
async function eagerApplicant(stage: Stage): Promise<SignedIn> {
  const user = await applicant(stage);
  await sql(
    `insert into kyc_uploads (id, user_id, counts, created_at)
      select 'eager-' || ?1 || value, ?1, 1, ?2 from json_each('[1,2,3,4,5,6,7,8,9,10]')`,
    user.userId,
    Date.now(),
  );
  return user;
}

const read = (path: string, query = "") =>
  given(`GET ${path}`, `with a long history ${query}`, async ({ user }) => ({ token: user.access, query }));

const own: Case[] = [
  ...["/api/users/profile", "/api/users/wallet", "/api/users/analytics/usage-stats", "/api/users/kyc/status"].map(
    (path) => read(path),
  ),
  ...["", "page=3&page_size=20", "is_read=false"].map((query) => read("/api/users/notifications", query)),
  given("PATCH /api/users/profile", "with a long history", async ({ user }) => ({
    token: user.access,
    json: { address: "Patan" },
  })),
  given("POST /api/users/notifications/{id}/read", "of another user", async ({ user, target }) => {
    const [row] = await sql<{ id: string }>("select id from notifications where user_id = ? limit 1", target.userId);
    return { token: user.access, id: row?.id ?? NOBODY };
  }),
  ...(["POST", "PATCH"] as const).flatMap((method) => [
    given(`${method} ${KYC}`, "after an approval", async (stage) => ({
      token: (await applicant(stage, "APPROVED")).access,
      multipart: whole(),
    })),
    given(`${method} ${KYC}`, "beyond the daily limit", async (stage) => ({
      token: (await eagerApplicant(stage)).access,
      multipart: whole(),
    })),
  ]),
  given(`PATCH ${KYC}`, "without a submission", async ({ env }) => ({
    token: (await newUser(env)).access,
    json: { document_type: "PASSPORT" },
  })),
  given(`GET ${KYC}`, "without a submission", async ({ env }) => ({ token: (await newUser(env)).access })),
  given("GET /api/users/kyc/documents/{id}", "with a forged signature", async () => ({
    query: "exp=9999999999&sig=x",
  })),
  given("GET /api/auth/debug/headers", "in production", async () => ({
    ...PLAIN_HTTP,
    origin: "https://api.example.com",
  })),
];

const on = (operation: string, what: string, prepare: (stage: Stage) => Promise<object>, restore?: Case["restore"]) =>
  given(
    operation,
    what,
    async (stage) => ({ token: stage.staff.access, id: stage.target.userId, ...(await prepare(stage)) }),
    restore,
  );
const USER = "/api/users/{id}";

const changed = (["PUT", "PATCH"] as const).flatMap((method) => [
  on(`${method} ${USER}`, "with a taken identifier", async () => ({
    json: { phone_number: "+9779700000007", reason },
  })),
  on(`${method} ${USER}`, "with a taken username", async () => ({ json: { username: "crowd-7", reason } })),
  on(`${method} ${USER}`, "of an unknown user", async () => ({ id: NOBODY, json: { address: "Patan" } })),
  on(`${method} ${USER}`, "by a user", async ({ user }) => ({ token: user.access, json: { address: "Patan" } })),
]);

const acts: [string, object][] = [
  [`POST ${USER}/status`, { status: "INACTIVE", reason }],
  [`PUT ${USER}/role`, { role: "staff", reason }],
  [`POST ${USER}/unlock`, { reason }],
  [`POST ${USER}/passkey-reset`, { reason }],
];

/** The limit of views is so low that one view has used it up. */
const ONE_VIEW = { env: { STAFF_VIEWS_PER_HOUR: "1" } as unknown as Partial<Env> };
const seen = ({ staff, target, env }: Stage) =>
  must("GET", `/api/users/${target.userId}`, { token: staff.access, env });

const beyondViews: Case[] = [
  on(`GET ${USER}`, "beyond the limit of views", async (stage) => {
    await seen(stage);
    return ONE_VIEW;
  }),
  on(`POST ${USER}/reveal`, "beyond the limit of views", async (stage) => {
    await seen(stage);
    return { ...ONE_VIEW, json: { fields: ["email"] } };
  }),
  on(`GET ${USER}/audit-logs`, "beyond the limit of views", async (stage) => {
    await seen(stage);
    return ONE_VIEW;
  }),
  on(`GET ${USER}/audit-logs`, "with hints", async () => ({ query: "mask=true" })),
  given("GET /api/users/kyc/documents/{id}", "beyond the limit of views", async (stage) => {
    const { userId } = await applicant(stage);
    const { data } = await must("GET", `/api/users/${userId}`, { token: stage.staff.access, env: stage.env });
    const { pathname, search } = new URL(data.kyc.document_front_url);
    return { ...ONE_VIEW, id: pathname.split("/").at(-1) ?? "", query: search.slice(1) };
  }),
];

const QUEUE = "GET /api/users/kyc/submissions";

const reviews: Case[] = [
  on(`GET ${USER}/kyc`, "with a submission", async (stage) => ({ id: (await applicant(stage)).userId })),
  on(`GET ${USER}/kyc`, "without a submission", async ({ env }) => ({ id: (await newUser(env)).userId })),
  on(`GET ${USER}/kyc`, "beyond the limit of views", async (stage) => {
    await seen(stage);
    return { ...ONE_VIEW, id: (await applicant(stage)).userId };
  }),
  given(QUEUE, "beyond the limit of views", async (stage) => {
    await seen(stage);
    return { ...ONE_VIEW, token: stage.staff.access };
  }),
  on(`PATCH ${USER}/kyc`, "with a standard reason", async (stage) => ({
    id: (await applicant(stage)).userId,
    json: { status: "REJECTED", rejection_code: "EXPIRED" },
  })),
  on(`PATCH ${USER}/kyc`, "taken back", async (stage) => ({
    id: (await applicant(stage, "APPROVED")).userId,
    json: { status: "PENDING", reason },
  })),
  on(`PATCH ${USER}/kyc`, "after the own first approval", async (stage) => {
    const user = await applicant(stage);
    await sql(
      "update kyc set first_approved_by = ?, first_approved_at = 1 where user_id = ?",
      stage.staff.userId,
      user.userId,
    );
    return { id: user.userId, json: { status: "APPROVED" }, env: { KYC_APPROVALS: "2" } as unknown as Partial<Env> };
  }),
];

/** Inserts a dead letter that can be replayed. */
async function newLetter(): Promise<string> {
  const id = newId();
  await sql(
    `insert into dead_letters (id, queue, event_id, type, payload, reason, attempts, created_at)
      values (?1, 'tasks', ?1, 'webhook.due', '{}', 'gone', 1, ?2)`,
    id,
    Date.now(),
  );
  return id;
}

const lists = [
  "",
  "expand=summary",
  "status=BANNED",
  "page=3&page_size=50&ordering=-last_login",
  "status=ACTIVE&kyc_status=PENDING&ordering=username",
];
const searches = [
  "search=crowd",
  "search=crowd&expand=summary",
  "search=crowd-77",
  "search=9700000",
  "search=zz",
  "search=nobody.at.all",
  "search=crowd&status=BANNED",
];

const staff: Case[] = [
  ...[...lists, ...searches].map((query) =>
    given("GET /api/users", `?${query}`, async (stage) => ({ token: stage.staff.access, query })),
  ),
  given("GET /api/users", "with a date filter", async (stage) => {
    const day = (ago: number) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
    return { token: stage.staff.access, query: `start_date=${day(400)}&end_date=${day(300)}&status=ACTIVE` };
  }),
  ...reviews,
  ...["", "mask=true", "status=APPROVED&mask=true", "status=REJECTED&page_size=50"].map((query) =>
    given("GET /api/users/kyc/submissions", `?${query}`, async (stage) => ({ token: stage.staff.access, query })),
  ),
  ...["state=WAITING", "state=REPLAYED", "type=webhook.due"].map((query) =>
    given("GET /api/staff/dead-letters", `?${query}`, async ({ admin }) => ({ token: admin.access, query })),
  ),
  given("POST /api/staff/dead-letters", "by id", async ({ admin }) => ({
    token: admin.access,
    json: { action: "REPLAY", ids: [await newLetter()], reason },
  })),
  given("POST /api/staff/dead-letters", "by type", async ({ admin }) => {
    const type = `type.${await newLetter()}`;
    await sql("update dead_letters set type = ? where id = ?", type, type.slice("type.".length));
    return {
      token: admin.access,
      json: { action: "DISCARD", type, before: new Date(Date.now() + 1).toISOString(), reason },
    };
  }),
  given("POST /api/staff/dead-letters", "by staff", async ({ staff }) => ({
    token: staff.access,
    json: { action: "REPLAY", ids: ["x"], reason },
  })),
  given("GET /api/staff/audit-logs", "of staff", async ({ admin, staff }) => ({
    token: admin.access,
    query: `actor_id=${staff.userId}`,
  })),
  given("GET /api/staff/overview", "of 90 days", async ({ staff }) => ({ token: staff.access, query: "days=90" })),
  ...["", "/access", "/sessions", "/audit-logs", "/analytics-report"].flatMap((part) => [
    on(`GET ${USER}${part}`, "with a long history", async () => ({})),
    on(`GET ${USER}${part}`, "of an unknown user", async () => ({ id: NOBODY })),
  ]),
  on(`GET ${USER}/audit-logs`, "of one type", async () => ({ query: "entity_type=note" })),
  on(`POST ${USER}/reveal`, "with a long history", async () => ({ json: { fields: ["email", "address"] } })),
  on(`POST ${USER}/reveal`, "of an unknown user", async () => ({ id: NOBODY, json: { fields: ["email"] } })),
  on(`POST ${USER}/reveal`, "by a user", async ({ user }) => ({ token: user.access, json: { fields: ["email"] } })),
  on(`POST ${USER}/notes`, "with a long history", async () => ({ json: { text: reason } })),
  on(`POST ${USER}/notes`, "of an unknown user", async () => ({ id: NOBODY, json: { text: reason } })),
  on(`POST ${USER}/notes`, "of their own account", async ({ staff }) => ({ id: staff.userId, json: { text: reason } })),
  on(`POST ${USER}/notes`, "by a user", async ({ user }) => ({ token: user.access, json: { text: reason } })),
  ...beyondViews,
  on(`POST ${USER}/analytics-report`, "with a long history", async () => ({})),
  on(`POST ${USER}/analytics-report`, "of an unknown user", async () => ({ id: NOBODY })),
  on(`DELETE ${USER}/sessions`, "of an unknown user", async () => ({ id: NOBODY })),
  given("POST /api/users", "by a user", async ({ user }) => ({ token: user.access, json: { identifier: newPhone() } })),
  on(`PUT ${USER}/role`, "of a user without a verified identifier", async ({ admin, env }) => {
    const { userId } = await newUser(env);
    await sql("update users set phone_verified = 0, email_verified = 0 where id = ?", userId);
    return { token: admin.access, id: userId, json: { role: "staff", reason } };
  }),
  given("POST /api/users", "if the account exists", async (stage) => ({
    token: stage.staff.access,
    json: { identifier: "+9779700000007" },
  })),
  given("POST /api/users", "with a taken username", async (stage) => ({
    token: stage.staff.access,
    json: { identifier: newPhone(), username: "crowd-7" },
  })),
  given("POST /api/users", "by e-mail", async (stage) => ({
    token: stage.staff.access,
    json: { identifier: newEmail() },
  })),
  ...changed,
  ...acts.flatMap(([operation, json]) => [
    on(operation, "of an unknown user", async ({ admin }) => ({ token: admin.access, id: NOBODY, json })),
    on(operation, "by a user", async ({ user }) => ({ token: user.access, json })),
  ]),
  on(`PUT ${USER}/role`, "by staff", async () => ({ json: { role: "staff", reason } })),
  on(
    `PUT ${USER}/role`,
    "of the last admin",
    async ({ admin }) => {
      await sql(
        "update users set role = 'staff', username = 'was-' || username where role = 'admin' and id <> ?",
        admin.userId,
      );
      return { token: admin.access, id: admin.userId, json: { role: "user", reason } };
    },
    () =>
      sql(
        "update users set role = 'admin', username = substr(username, 5) where role = 'staff' and username glob 'was-*'",
      ),
  ),
  on(`PATCH ${USER}/kyc`, "without a submission", async ({ env }) => ({
    id: (await newUser(env)).userId,
    json: { status: "REJECTED", rejection_reason: reason },
  })),
  on(`PATCH ${USER}/kyc`, "of an unknown user", async () => ({
    id: NOBODY,
    json: { status: "REJECTED", rejection_reason: reason },
  })),
  on(`PATCH ${USER}/kyc`, "whose files were not opened", async (stage) => ({
    id: (await applicant(stage)).userId,
    json: { status: "APPROVED" },
  })),
  on(`PATCH ${USER}/kyc`, "by a user", async ({ user }) => ({
    token: user.access,
    json: { status: "REJECTED", rejection_reason: reason },
  })),
];

const BEYOND = { env: { USER_RATE_LIMITER: exhaustedRateLimiter } };
const limited: Case[] = [
  ...(
    [
      ["POST /api/auth/proof", { verification_token: "x" }],
      ["POST /api/auth/passkeys/options", { purpose: "PROOF" }],
      ["PATCH /api/auth/passkeys/{id}", { name: "Laptop" }],
    ] as const
  ).map(([operation, json]) =>
    given(operation, "beyond the limit of writes", async ({ user }) => ({ token: user.access, json, ...BEYOND })),
  ),
  given("POST /api/staff/dead-letters", "beyond the limit of writes", async ({ admin }) => ({
    token: admin.access,
    json: { action: "REPLAY", ids: ["x"], reason },
    ...BEYOND,
  })),
  on(`POST ${USER}/notes`, "beyond the limit of writes", async ({ admin }) => ({
    token: admin.access,
    json: { text: reason },
    ...BEYOND,
  })),
  given("POST /api/auth/device", "beyond the limit of writes", async ({ user }) => ({
    token: user.access,
    json: { device_id: "d", fcm_token: crypto.randomUUID(), device_type: "WEB" },
    ...BEYOND,
  })),
  given("POST /api/users", "beyond the limit of writes", async ({ admin }) => ({
    token: admin.access,
    json: { identifier: newPhone() },
    ...BEYOND,
  })),
  ...[...acts, [`PATCH ${USER}/kyc`, { status: "REJECTED", rejection_reason: reason }] as const].map(
    ([operation, json]) =>
      on(operation, "beyond the limit of writes", async ({ admin }) => ({ token: admin.access, json, ...BEYOND })),
  ),
];

const documents = ["jwks.json", "apple-app-site-association", "assetlinks.json", "webauthn"].map(
  (file) => `GET /.well-known/${file}`,
);

const unchanged = [...documents, "GET /api/openapi.json"].map((operation) =>
  given(operation, "that the caller has", async () => {
    const { headers } = await call("GET", operation.slice("GET ".length));
    // The document names the issuer as its server.
    return { env: { ISSUER: testEnv.ISSUER }, headers: { "if-none-match": headers.get("etag") ?? "" } };
  }),
);

/** The files that connect apps with the domain, where no app is configured. */
const unconfigured = documents
  .slice(1)
  .map((operation) =>
    given(operation, "where no app is configured", async () => ({ env: NO_PASSKEYS as unknown as Partial<Env> })),
  );

export const userCases: Case[] = [...own, ...unchanged, ...unconfigured, ...limited, ...staff];
