import { and, eq, ne, type SQL, sql } from "drizzle-orm";
import { auditLogs, deadLetters, localOutbox, outbox } from "../db/platform-schema.ts";
import {
  familiarNetworks,
  otpChallenges,
  otpClassGuards,
  otpNetworkGuards,
  verificationTokens,
} from "../db/sign-in-schema.ts";
import { users } from "../db/user-schema.ts";
import { recordAudit } from "../platform/audit.ts";
import { inOneTrip, together } from "../platform/database.ts";
import type { Deps } from "../platform/deps.ts";
import { recordEvent } from "../platform/outbox.ts";
import { isSignedIn } from "../sessions/session.store.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { isReauthenticated } from "./reauthentication.store.ts";
import { recordRevocation } from "./social-link.store.ts";

/** Entries of KV that are removed after the account, at most, of each kind: the newest. */
const MAX_KV_ENTRIES = 200;

type DeletionDeps = Pick<Deps, "db" | "now" | "newId" | "attemptId" | "log">;

/**
 * Deletes the caller's account in one transaction: the person's data goes, from history too; ledger rows stay without
 * them; an audit row without values is the tombstone. Nothing at all happens unless the caller is signed in, has proved
 * who they are just now, has no open rental and no debt, and is not the last admin.
 *
 * @returns `isDeleted`, with the events to relay; else `obstacles`, which is undefined when the session has ended.
 */
export async function deleteAccount(deps: DeletionDeps, caller: AccessClaims, tokenHash: string | undefined) {
  const { userId } = caller;
  const tombstoneId = deps.newId();
  const isGone = sql`exists (select 1 from audit_logs where id = ${tombstoneId})`;
  const obstacle = obstaclesOf(deps, caller, tokenHash);
  const identifiers = sql`(select value from users u, json_each(json_array(u.email, u.phone_number))
    where u.id = ${userId} and value is not null and ${isGone})`;
  const event = { userId, queue: "tasks" } as const;
  const writes = {
    tombstone: recordAudit(
      deps,
      { ip: null, userAgent: null },
      { id: tombstoneId, userId, action: "DELETE", entityType: "user", entityId: userId, actorId: userId },
      sql`exists (select 1 from users where users.id = ${userId} and not ${obstacle.mustReauthenticate}
        and not ${obstacle.hasOpenRental} and not ${obstacle.hasDebt} and not ${obstacle.isLastAdmin})
        and ${isSignedIn(deps, caller)}`,
    ),
    // What Apple has not been told yet of an unlink it must still hear.
    outbox: deps.db
      .delete(outbox)
      .where(and(eq(outbox.userId, userId), ne(outbox.type, "social.revocation_due"), isGone)),
    // Codes on their way carry the identifier; those that are not erased yet are few.
    codes: deps.db
      .delete(outbox)
      .where(
        sql`erase_at > ${deps.now()} and erase_at is not null and payload is not null and json_extract(payload, '$.to') in ${identifiers}`,
      ),
    deletedEvent: recordEvent(
      deps,
      { ...event, type: "user.deleted", payload: JSON.stringify({ user_id: userId }) },
      isGone,
    ),
    cleanupEvent: recordEvent(
      deps,
      {
        ...event,
        type: "account.deleted",
        payload: sql`json_object('user_id', ${userId}, 'session_ids', json((select json_group_array(id) from
          (select id from sessions where user_id = ${userId} order by created_at desc limit ${sql.raw(String(MAX_KV_ENTRIES))}))),
          'challenge_ids', json((select json_group_array(cid) from (select cid from otp_challenges where identifier in ${identifiers}
            order by created_at desc limit ${sql.raw(String(MAX_KV_ENTRIES))}))))`,
      },
      isGone,
    ),
    revocationEvent: recordRevocation(deps, userId, "APPLE", isGone),
    history: deps.db
      .update(auditLogs)
      .set({ oldValues: null, newValues: null, ip: null, userAgent: null })
      .where(and(eq(auditLogs.userId, userId), isGone)),
    deadLetters: deps.db
      .update(deadLetters)
      .set({ payload: null })
      .where(and(eq(deadLetters.userId, userId), isGone)),
    challenges: deps.db.delete(otpChallenges).where(sql`identifier in ${identifiers}`),
    networkGuards: deps.db.delete(otpNetworkGuards).where(sql`identifier in ${identifiers}`),
    classGuards: deps.db.delete(otpClassGuards).where(sql`identifier in ${identifiers}`),
    networks: deps.db
      .delete(familiarNetworks)
      .where(sql`identifier in ${identifiers} or (identifier = ${userId} and ${isGone})`),
    tokens: deps.db.delete(verificationTokens).where(sql`identifier in ${identifiers}`),
    messages: deps.db
      .delete(localOutbox)
      .where(
        sql`recipient in (select value from ${identifiers} union select fcm_token from devices where user_id = ${userId} and ${isGone})`,
      ),
    // Everything that hangs on the user goes with the row; the ledgers keep theirs without a name.
    user: deps.db.delete(users).where(and(eq(users.id, userId), isGone)),
  };
  const reads = {
    tombstones: deps.db.select({ id: auditLogs.id }).from(auditLogs).where(eq(auditLogs.id, tombstoneId)),
    obstacles: deps.db
      .select({
        mustReauthenticate: asNumber(obstacle.mustReauthenticate).as("must_reauthenticate"),
        hasOpenRental: asNumber(obstacle.hasOpenRental).as("has_open_rental"),
        hasDebt: asNumber(obstacle.hasDebt).as("has_debt"),
        isLastAdmin: asNumber(obstacle.isLastAdmin).as("is_last_admin"),
      })
      .from(users)
      .where(and(eq(users.id, userId), isSignedIn(deps, caller))),
  };
  const found = await inOneTrip(deps, together(writes, reads)).catch((error) =>
    // The batch may stand although its answer was lost: the tombstone tells.
    inOneTrip(deps, reads).then((again) => {
      if (again.tombstones.length === 0) throw error;
      return { ...again, deletedEvent: [], cleanupEvent: [], revocationEvent: [] };
    }),
  );
  return {
    isDeleted: found.tombstones.length > 0,
    events: [...found.deletedEvent, ...found.cleanupEvent, ...found.revocationEvent],
    obstacles: found.obstacles[0],
  };
}

const asNumber = (condition: SQL) => sql<number>`${condition}`;

/** What stands in the way, as conditions on a row of `users`. */
function obstaclesOf(deps: DeletionDeps, caller: AccessClaims, tokenHash: string | undefined) {
  return {
    mustReauthenticate: sql`(not ${isReauthenticated(deps, caller, tokenHash)})`,
    hasOpenRental: sql.raw(`exists (select 1 from rentals where rentals.user_id = users.id
      and rentals.started_at is not null and rentals.returned_at is null)`),
    hasDebt: sql.raw("exists (select 1 from wallets where wallets.user_id = users.id and wallets.balance_minor < 0)"),
    isLastAdmin: sql.raw(`(users.role = 'admin' and not exists (select 1 from users other where other.role = 'admin'
      and other.status = 'ACTIVE' and other.id <> users.id))`),
  };
}
