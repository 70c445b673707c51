import { type SQL, sql } from "drizzle-orm";
import { familiarNetworks } from "../../db/sign-in-schema.ts";
import { insertWhere } from "../../platform/data/database.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import { before, derived, type StatementDeps } from "../../platform/data/prepared.ts";
import { otpLimits } from "../otp/otp-limits.ts";

/** A sign-in of a user who exists already. */
interface SignInPlace {
  /** The user's id, as SQL. */
  userId: SQL;
  sessionId: string;
  network: string;
}

/**
 * The statement that records `auth.new_device` where `condition` holds, the user has signed in before, and none of the
 * user's sign-ins of the last 90 days came from this network. The user agent has no say, since a thief can send the
 * app's own. The statement must run before those that set `last_login` or remember the network.
 */
export function announceNewDevice(deps: StatementDeps, { userId, sessionId, network }: SignInPlace, condition: SQL) {
  const isKnown = sql`exists (select 1 from json_each(json_array(u.id, u.email, u.phone_number)) own
    join familiar_networks f on f.identifier = own.value and f.network = ${network}
    where f.last_sign_in_at > ${before(deps.now(), otpLimits.familiarMs)})`;
  return recordEvent(
    deps,
    {
      type: "auth.new_device",
      userId,
      payload: derived(sessionId, (id) => JSON.stringify({ session_id: id })),
      queue: "tasks",
    },
    sql`${condition} and exists (select 1 from users u where u.id = ${userId} and u.last_login is not null and not ${isKnown})`,
  );
}

/**
 * The statement that remembers the network of a sign-in where `condition` holds, for 90 days.
 *
 * @param subject the identifier that was proved; the user's id for a sign-in by Google or Apple, which proves no
 *   identifier and so gives the network no standing with one-time codes.
 */
export function rememberNetwork(deps: StatementDeps, subject: string | SQL, network: string, condition: SQL) {
  return insertWhere(
    deps,
    familiarNetworks,
    { identifier: subject, network, lastSignInAt: deps.now() },
    condition,
  ).onConflictDoUpdate({
    target: [familiarNetworks.identifier, familiarNetworks.network],
    set: { lastSignInAt: sql`excluded.last_sign_in_at` },
  });
}
