import { decodeJwt } from "jose";
import { newEmail, newPhone, type SignedIn, testEnv } from "../../support/client.ts";
import { historyOf, insertHistory } from "../../support/history.ts";
import { newId } from "../../support/ids.ts";
import { fakeProviders, newPerson } from "../../support/openid.ts";
import { requestAndKeep } from "../../support/queue.ts";
import { findSearchDrift } from "../../support/search-invariants.ts";
import { heldTasks } from "../../support/tasks.ts";
import { type Flow, flow, type Run, traceless } from "../flow-table.ts";
import { must, newUser, sql } from "../people.ts";
import { submitted } from "./kyc.ts";

/** A queue message of an outbox event. */
export const message = (type: string, userId: string | null, payload: object) => ({
  queue: "tasks",
  body: {
    event_id: newId(),
    type,
    user_id: userId,
    payload: JSON.stringify(payload),
    created_at: Date.now(),
  },
});

/** Creates a flow for a task triggered by a message about one user. */
const task = (
  type: string,
  payloadOf: (user: SignedIn) => object = () => ({}),
  ready: (user: SignedIn) => Promise<unknown> = async () => {},
) =>
  flow(`task of ${type}`, async () => {
    const user = await newUser();
    await ready(user);
    return { scope: { userIds: [user.userId] }, messages: [message(type, user.userId, payloadOf(user))] };
  });

/** The most common payload. */
export const userId = (user: SignedIn) => ({ user_id: user.userId });
const sessionOf = (user: SignedIn) => String(decodeJwt(user.access).sid);

const withDevice = (user: SignedIn, id = "phone") =>
  must("POST", "/api/auth/device", {
    token: user.access,
    json: { device_id: id, fcm_token: `push-${crypto.randomUUID()}`, device_type: "ANDROID" },
  });

/** A code to be sent by SMS or e-mail. */
const otp = (channel: "sms" | "email") =>
  flow(`task of otp.requested by ${channel}`, async () => {
    const identifier = channel === "sms" ? newPhone() : newEmail();
    const body = await requestAndKeep(identifier);
    return { scope: { identifiers: [identifier] }, messages: [{ queue: "otp", body }] };
  });

const push = flow("task of push.requested", async () => {
  const user = await newUser();
  await withDevice(user);
  await withDevice(user, "tablet");
  const tokens = await sql<{ token: string }>("select fcm_token as token from devices where user_id = ?", user.userId);
  const id = newId();
  await sql(
    `insert into notifications (id, user_id, notification_type, title, message, created_at)
      values (?, ?, 'TEST', 'Title', 'Words', ?)`,
    id,
    user.userId,
    Date.now(),
  );
  return {
    scope: { userIds: [user.userId], identifiers: tokens.map(({ token }) => token) },
    messages: [message("push.requested", user.userId, { notification_id: id })],
  };
});

const identifierChanged = task("user.identifier_changed", (user) => ({
  channel: "sms",
  old_identifier: user.identifier,
  locale: "en",
}));

/** Of two reports less than 15 minutes apart, only the first counts. */
const activity = flow("task of user.active", async () => {
  const [user, at] = [await newUser(), Date.now()];
  const report = (time: number) => message("user.active", user.userId, { session_id: sessionOf(user), at: time });
  return {
    scope: { userIds: [user.userId] },
    messages: [report(at)],
    async afterwards() {
      const [row] = await sql<{ at: number }>("select last_activity_at as at from users where id = ?", user.userId);
      if (row?.at !== at) throw new Error(`last active at ${row?.at} instead of ${at}`);
    },
  };
});

const decided = flow("task of kyc.decided", async () => {
  const user = await submitted();
  await sql("update kyc set status = 'APPROVED' where user_id = ?", user.userId);
  const payload = { status: "APPROVED", kyc_id: "any" };
  return { scope: { userIds: [user.userId] }, messages: [message("kyc.decided", user.userId, payload)] };
});

const revocation: Flow = {
  name: "task of social.revocation_due",
  async open() {
    const providers = fakeProviders();
    const prepare = async (): Promise<Run> => {
      const user = await newUser(providers.env);
      const json = await providers.nativeSignIn("apple", newPerson("apple"));
      await must("POST", "/api/auth/apple/link", { env: providers.env, token: user.access, json });
      const tasks = heldTasks();
      await must("DELETE", "/api/auth/apple/link", { env: { ...providers.env, ...tasks.env }, token: user.access });
      const [due] = tasks.take(user.userId, "social.revocation_due");
      const revokedBefore = providers.revoked.length;
      const { body, queue } = message("social.revocation_due", user.userId, {});
      return {
        scope: { userIds: [user.userId] },
        messages: [{ queue, body: { ...body, payload: due?.payload ?? "" } }],
        async afterwards() {
          if (providers.revoked.length <= revokedBefore) throw new Error("the token was not revoked at Apple");
        },
      };
    };
    return { env: providers.env, prepare };
  },
};

const finishDeletion = flow("task of account.deleted", async () => {
  const [user, key] = [await submitted(), crypto.randomUUID()];
  const sid = sessionOf(user);
  await testEnv.KV.put(`otp:${key}`, "[]");
  await testEnv.KV.put(`deny:${sid}`, "1");
  await sql("delete from kyc where user_id = ?", user.userId);
  await sql("delete from kyc_documents where user_id = ?", user.userId);
  await sql("delete from users where id = ?", user.userId);
  return {
    scope: { userIds: [user.userId], hasFiles: true },
    messages: [
      message("account.deleted", user.userId, {
        user_id: user.userId,
        session_ids: [sid],
        live_codes_keys: [`otp:${key}`],
      }),
    ],
    async afterwards() {
      const left = await Promise.all([testEnv.KV.get(`otp:${key}`), testEnv.KV.get(`deny:${sid}`)]);
      if (left.some((value) => value !== null)) throw new Error("KV still holds something of the user's");
    },
  };
});

/** A user whom a restore brought back is deleted again. */
const deleteAgain = flow("task of account.deletion_undone", async () => {
  const user = await newUser();
  return {
    scope: { userIds: [user.userId], identifiers: [user.identifier] },
    messages: [message("account.deletion_undone", user.userId, { user_id: user.userId })],
    async afterwards() {
      const left = await sql("select 1 from users where id = ?", user.userId);
      if (left.length > 0) throw new Error("the user is still there");
    },
  };
});

/** A deleted user's history that takes more than one message to erase. */
const eraseHistory = flow("task of account.deleted, a long history", async () => {
  const userId = crypto.randomUUID();
  await insertHistory(userId, { rows: 600, word: userId });
  return {
    scope: {},
    messages: [message("account.deleted", userId, { user_id: userId, session_ids: [], live_codes_keys: [] })],
    async afterwards() {
      const { audit_logs, dead_letters, ...left } = await historyOf(userId);
      if (Object.keys(left).length > 0) throw new Error(`left: ${Object.keys(left).join(", ")}`);
      const withValues = await sql("select 1 from audit_logs where user_id = ? and new_values is not null", userId);
      if (withValues.length > 0) throw new Error("the audit log still has values");
    },
  };
});

const search = flow("task of user_search.due", async () => {
  const [user, other] = [await newUser(), await newUser()];
  const messages = [user, other].map((each) => ({
    ...message("user_search.due", each.userId, userId(each)),
    queue: "search",
  }));
  return { scope: { userIds: [user.userId, other.userId] }, messages, afterwards: () => expectFound(user, other) };
});

/** Checks that the search entries match the users. */
export async function expectFound(...users: SignedIn[]): Promise<void> {
  const drift = await findSearchDrift(users.map((user) => user.userId));
  if (drift.length > 0) throw new Error(drift.join("; "));
}

/** A message that no task can process is stored once with its reason, and does not affect the rest of its batch. */
const poison = flow(
  "a batch with an unprocessable message",
  async () => {
    const user = await newUser();
    const at = Date.now();
    const bad = [
      { ...message("no.such_task", user.userId, {}).body },
      { ...message("push.requested", user.userId, {}).body, payload: "{" },
    ];
    return {
      scope: { userIds: [user.userId] },
      messages: [
        ...bad.map((body) => ({ queue: "tasks", body })),
        message("user.active", user.userId, { session_id: sessionOf(user), at }),
      ],
      async afterwards() {
        const [row] = await sql<{ at: number }>("select last_activity_at as at from users where id = ?", user.userId);
        if (row?.at !== at) throw new Error("another message of the batch was lost");
      },
    };
  },
  { mayRepeat: /^dead letter/ },
);

const deadLetters = flow(
  "the dead-letter queue",
  async () => {
    const user = await newUser();
    const { body } = message("user.updated", user.userId, userId(user));
    return { scope: { userIds: [user.userId] }, messages: [{ queue: "dead-letters", body }] };
  },
  { mayRepeat: /^dead letter/ },
);

export const taskFlows = [
  otp("sms"),
  otp("email"),
  push,
  ...["auth.new_device", "auth.lockout", "user.social_registered"].map((type) => task(type)),
  identifierChanged,
  traceless(revocation),
  finishDeletion,
  deleteAgain,
  traceless(eraseHistory),
  search,
  task("profile.reminder_due"),
  task("kyc.reminder_due"),
  traceless(activity),
  decided,
  task("analytics_report.requested", userId),
  poison,
  deadLetters,
];
