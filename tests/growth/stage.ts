import { newUser, sql } from "../faults/people.ts";
import { fakeProviders } from "../support/openid.ts";
import type { Stage } from "./case.ts";
import { growHistory } from "./crowd.ts";

/** Creates the users who act in the cases. */
export async function setStage(): Promise<Stage> {
  const providers = fakeProviders();
  const { env } = providers;
  const [user, staff, admin] = [await newUser(env), await newUser(env), await newUser(env)];
  const [target, ended] = [await newUser(env), await newUser(env)];
  await sql("update users set role = 'staff' where id = ?", staff.userId);
  await sql("update users set role = 'admin' where id = ?", admin.userId);
  await sql(
    "update sessions set revoked_at = ?, revoked_reason = 'logout' where user_id = ?",
    Date.now(),
    ended.userId,
  );
  return { providers, env, user, staff, admin, target, ended };
}

/** Extends the histories of users whose own data is read. */
export async function growStage({ user, target }: Stage, from: number, to: number): Promise<void> {
  await growHistory(user.userId, from, to, Date.now());
  await growHistory(target.userId, 10_000_000 + from, 10_000_000 + to, Date.now());
}
