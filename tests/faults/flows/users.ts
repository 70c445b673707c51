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

const readNotification = flow("POST users/notifications/{id}/read", async () => {
  const user = await newUser();
  const id = crypto.randomUUID();
  await sql(
    `insert into notifications (id, user_id, notification_type, title, message, created_at)
      values (?, ?, 'TEST', 'Title', 'Words', ?)`,
    id,
    user.userId,
    Date.now(),
  );
  const path = `/api/users/notifications/${id}/read`;
  return { scope: { userIds: [user.userId] }, request: { method: "POST", path, options: { token: user.access } } };
});

const open = (path: string) =>
  flow(`GET ${path}`, async () => ({ scope: {}, request: { method: "GET", path, options: {} } }));

export const userFlows = [
  changeProfile("PUT"),
  changeProfile("PATCH"),
  readNotification,
  ...["/.well-known/jwks.json", "/api/openapi.json", "/dev/outbox"].map(open).map(traceless),
];
