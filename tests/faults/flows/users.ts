import { newId } from "../../support/ids.ts";
import { flow, traceless } from "../flow-table.ts";
import { newUser, sql } from "../people.ts";

const changeProfile = (method: "PUT" | "PATCH") =>
  flow(`${method} users/profile`, async () => {
    const user = await newUser();
    const json = { full_name: "Asha Rai", address: "Pokhara" };
    return {
      scope: { userIds: [user.userId] },
      request: { method, path: "/api/users/profile", options: { token: user.access, json } },
    };
  });

/** A user with one unread notification. */
async function notified() {
  const user = await newUser();
  const id = newId();
  await sql(
    `insert into notifications (id, user_id, notification_type, title, message, created_at)
      values (?, ?, 'WELCOME', 'Title', 'Words', ?)`,
    id,
    user.userId,
    Date.now(),
  );
  return { user, id };
}

const notificationFlow = (method: "GET" | "POST", path: string) =>
  flow(`${method} users/notifications${path}`, async () => {
    const { user, id } = await notified();
    const request = {
      method,
      path: `/api/users/notifications${path.replace("{id}", id)}`,
      options: { token: user.access },
    };
    return { scope: { userIds: [user.userId] }, request };
  });

const open = (path: string) =>
  flow(`GET ${path}`, async () => ({ scope: {}, request: { method: "GET", path, options: {} } }));

export const userFlows = [
  changeProfile("PUT"),
  changeProfile("PATCH"),
  notificationFlow("POST", "/{id}/read"),
  notificationFlow("POST", "/read"),
  traceless(notificationFlow("GET", "/{id}")),
  ...["jwks.json", "apple-app-site-association", "assetlinks.json", "webauthn"]
    .map((file) => open(`/.well-known/${file}`))
    .map(traceless),
  ...["/api/openapi.json", "/dev/outbox"].map(open).map(traceless),
];
