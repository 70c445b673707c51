import { eq } from "drizzle-orm";
import { users } from "../db/user-schema.ts";
import { runBatch } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import { selectCaller } from "../sessions/session.store.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { selectUser } from "../users/user.store.ts";

/**
 * The member of staff whose session this is, and whether the role works only once a passkey has proved it. Undefined if
 * the session has ended or its user is not staff.
 */
export async function findConsoleUser(deps: Pick<Deps, "db" | "now" | "log" | "config">, session: AccessClaims) {
  const { user, caller } = await runBatch(deps, {
    user: selectUser(deps, eq(users.id, session.userId)),
    caller: selectCaller(deps, session),
  });
  const [found] = caller;
  if (!user[0] || !found || found.role === "user") return undefined;
  return { user: user[0], isPasskeyRequired: found.lacksPasskey === 1 };
}
