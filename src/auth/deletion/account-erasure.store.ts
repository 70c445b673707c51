import { and, eq, type SQL, sql } from "drizzle-orm";
import { OWN_SOURCE, pointTransactions } from "../../db/ledger-schema.ts";
import { localOutbox } from "../../db/platform-schema.ts";
import { familiarNetworks, sessions } from "../../db/sign-in-schema.ts";
import { users } from "../../db/user-schema.ts";
import { isAudited, recordAudit } from "../../platform/data/audit.ts";
import { mergeStatements } from "../../platform/data/database.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import { liveCodesKey } from "../otp/live-codes.store.ts";
import { hashMailbox } from "../otp/mailbox-hash.ts";
import { recordRevocation } from "../social/social-link.store.ts";
import { keepOtpLimits, type LeavingIdentifier, recordFormerIdentities } from "./former-identity.store.ts";
import { hashForOtpLimits, hashIdentifier } from "./former-identity.ts";

/**
 * Maximum number of sessions, the newest ones, whose KV entries are removed with an account; those of older sessions
 * expire. So the ten messages of a batch stay below the limit of 1,000 KV operations per invocation.
 */
const MAX_DENIALS = 80;

/**
 * JSON array of the identifiers of a row of `users`, and of those that it lost by a change in `identity_changes`,
 * whatever its outcome, unless an account has them now. They are hashed before the deletion, which checks that they
 * still match.
 */
export const identifierSnapshot = sql<string>`${sql.raw(`(select json_group_array(json(value)) from (
  select value from json_each(json_array(
    json_object('identifier', users.email, 'isVerified', users.email_verified),
    json_object('identifier', users.phone_number, 'isVerified', users.phone_verified)))
    where value ->> 'identifier' is not null
  union all select json_object('identifier', c.old_identifier, 'isVerified', 1) from identity_changes c
    where c.user_id = users.id and c.old_identifier is not null and not exists
      (select 1 from users o where o.email = c.old_identifier or o.phone_number = c.old_identifier)))`)}`;

/** A user to erase, and the hashes that remain. */
export interface Erasure {
  userId: string;
  snapshot: string;
  identifiers: LeavingIdentifier[];
  /** The verified identifiers, as hashed by `hashIdentifier`. */
  verified: string[];
  /** KV keys of the identifiers' live codes. */
  liveCodesKeys: string[];
}

/** Hashes the identifiers of a user to erase. @param snapshot the value of `identifierSnapshot`. */
export async function prepareErasure(deps: Pick<Deps, "keyring">, userId: string, snapshot: string): Promise<Erasure> {
  const all = JSON.parse(snapshot) as { identifier: string; isVerified: number }[];
  const held = [...new Map(all.map((each) => [each.identifier, each])).values()];
  const verified = held.filter(({ isVerified }) => isVerified === 1);
  return {
    userId,
    snapshot,
    identifiers: await Promise.all(
      held.map(async ({ identifier }) => ({
        identifier,
        hash: await hashForOtpLimits(deps, identifier),
        mailbox: identifier.includes("@") ? (await hashMailbox(deps, identifier)).hash : null,
      })),
    ),
    verified: await Promise.all(verified.map(({ identifier }) => hashIdentifier(deps, identifier))),
    liveCodesKeys: await Promise.all(held.map(({ identifier }) => liveCodesKey(deps, identifier))),
  };
}

/**
 * Deletes an account. The tombstone, an audit row without values, is written if `mayErase` holds for the row of `users`
 * and its identifiers still match `snapshot`; every other statement depends on the tombstone. The number of rows
 * touched is bounded: rows of tables with many rows per user stay, unreachable without the user, until
 * `finish_account_deletion` erases them.
 */
export function eraseAccount(
  deps: Pick<Deps, "db" | "now" | "newId" | "invocationId">,
  { userId, snapshot, identifiers, liveCodesKeys, verified }: Erasure,
  tombstoneId: string,
  mayErase: SQL,
) {
  const isErased = isAudited(userId, tombstoneId);
  const values = JSON.stringify(identifiers.map(({ identifier }) => identifier));
  const isOfUser = sql`in (select value from json_each(${values})) and ${isErased}`;
  const event = { userId, queue: "tasks" } as const;
  const newest = sql.raw(`order by id desc limit ${MAX_DENIALS}`);
  return mergeStatements(
    {
      tombstone: recordAudit(
        deps,
        { ip: null, userAgent: null },
        { id: tombstoneId, userId, action: "DELETE", entityType: "user", entityId: userId, actorId: userId },
        sql`exists (select 1 from users where users.id = ${userId} and ${identifierSnapshot} = ${snapshot} and ${mayErase})`,
      ),
      deletedEvent: recordEvent(
        deps,
        { ...event, type: "user.deleted", payload: JSON.stringify({ user_id: userId }) },
        isErased,
      ),
      cleanupEvent: recordEvent(
        deps,
        {
          ...event,
          type: "account.deleted",
          payload: sql`json_object('user_id', ${userId}, 'live_codes_keys', json(${JSON.stringify(liveCodesKeys)}),
          'session_ids', json((select json_group_array(id) from
          (select id from sessions where user_id = ${userId} ${newest}))))`,
        },
        isErased,
      ),
      revocationEvent: recordRevocation(deps, userId, "APPLE", isErased),
    },
    keepOtpLimits(deps, identifiers, isErased),
    {
      networks: deps.db
        .delete(familiarNetworks)
        .where(sql`identifier ${isOfUser} or (identifier = ${userId} and ${isErased})`),
      formerIdentifiers: recordFormerIdentities(
        deps,
        sql`value`,
        sql`from json_each(${JSON.stringify(verified)}) where ${isErased}`,
      ),
      formerAccounts: recordFormerIdentities(
        deps,
        sql`identity_hash`,
        sql`from social_accounts where user_id = ${userId} and ${isErased}`,
      ),
      // The inviter's ledger row references the invitee; the row's id replaces it because references are unique.
      inviterEntry: deps.db
        .update(pointTransactions)
        .set({ reference: sql`${pointTransactions.id}` })
        .where(
          sql`${pointTransactions.userId} = (select inviter_id from referrals where invitee_id = ${userId})
          and ${pointTransactions.source} = ${OWN_SOURCE} and ${pointTransactions.reason} = 'referral' and ${pointTransactions.reference} = ${userId} and ${isErased}`,
        ),
      liveSessions: deps.db.delete(sessions).where(
        sql`user_id = ${userId} and ${isErased}
            and id in (select id from sessions indexed by sessions_live where user_id = ${userId} and revoked_at is null)`,
      ),
      messages: deps.db.delete(localOutbox).where(
        sql`recipient in (select value from json_each(${values}) union select fcm_token from devices where user_id = ${userId})
          and ${isErased}`,
      ),
      user: deps.db.delete(users).where(and(eq(users.id, userId), isErased)),
    },
  );
}
