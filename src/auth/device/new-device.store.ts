import { type SQL, sql } from "drizzle-orm";
import { familiarNetworks } from "../../db/sign-in-schema.ts";
import { insertWhere } from "../../platform/data/database.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import type { BuilderDeps, Value } from "../../platform/data/prepared.ts";
import { DAY_MS } from "../../platform/time.ts";
import { otpLimits } from "../otp/otp-limits.ts";

/** A known network is renewed by a sign-in at least this many milliseconds after the one that it remembers. */
const RENEWAL_MS = DAY_MS;

/** A sign-in to an existing account. */
interface SignInPlace {
  /** The user's id, as SQL. */
  userId: SQL;
  sessionId: Value<string>;
  network: Value<string>;
}

/**
 * Records `auth.new_device` if `condition` holds, the user has signed in before, and none of the user's sign-ins of the
 * last 90 days came from this network. It ignores the user agent, which a thief can copy. It must run before the
 * statements that set `last_login` or remember the network.
 */
export function announceNewDevice(deps: BuilderDeps, { userId, sessionId, network }: SignInPlace, condition: SQL) {
  const isKnown = sql`exists (select 1 from json_each(json_array(u.id, u.email, u.phone_number)) own
    join familiar_networks f on f.identifier = own.value and f.network = ${network}
    where f.last_sign_in_at > ${deps.now()} - ${otpLimits.knownNetworkMs})`;
  return recordEvent(
    deps,
    {
      type: "auth.new_device",
      userId,
      payload: sql`json_object('session_id', ${sessionId})`,
      queue: "tasks",
    },
    sql`${condition} and exists (select 1 from users u where u.id = ${userId} and u.last_login is not null and not ${isKnown})`,
  );
}

/**
 * Remembers the network of a sign-in if `condition` holds: for 90 days, or for 89 to 90 if the user signed in from it
 * during the day before, because the row is then not updated.
 *
 * @param subject the verified identifier; for a sign-in with Google or Apple the user's id, because it verifies no
 *   identifier and must not make the network known to one-time codes.
 */
export function rememberNetwork(
  deps: Pick<BuilderDeps, "db" | "now">,
  subject: Value<string>,
  network: Value<string>,
  condition: SQL,
) {
  return insertWhere(
    deps,
    familiarNetworks,
    { identifier: subject, network, lastSignInAt: deps.now() },
    condition,
  ).onConflictDoUpdate({
    target: [familiarNetworks.identifier, familiarNetworks.network],
    set: { lastSignInAt: sql`excluded.last_sign_in_at` },
    setWhere: sql`${familiarNetworks.lastSignInAt} <= excluded.last_sign_in_at - ${RENEWAL_MS}`,
  });
}
