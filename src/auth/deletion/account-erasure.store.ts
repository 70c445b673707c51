import { and, eq, isNull, type SQL, sql } from "drizzle-orm";
import { OWN_SOURCE, pointTransactions } from "../../db/ledger-schema.ts";
import { localOutbox } from "../../db/platform-schema.ts";
import { familiarNetworks, sessions, verificationTokens } from "../../db/sign-in-schema.ts";
import { users } from "../../db/user-schema.ts";
import { recordAudit } from "../../platform/data/audit.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import { recordRevocation } from "../social/social-link.store.ts";
import { type HashedIdentifier, keepOtpLimits, recordFormerIdentities } from "./former-identity.store.ts";
import { hashForOtpLimits, hashIdentities, type ProviderAccount } from "./former-identity.ts";

/** KV entries of each kind that are removed after the account, at most; of sessions the newest. */
const MAX_KV_ENTRIES = 200;

/** What identifies a row of `users`, as JSON text: hashes are made from it, and a later batch checks that it still holds. */
export const identitySnapshot = sql<string>`${sql.raw(`json_object('identifiers',
  json((select json_group_array(value) from json_each(json_array(users.email, users.phone_number)) where value is not null)),
  'accounts', json((select json_group_array(json_object('issuer', issuer, 'subject', subject))
    from (select issuer, subject from social_accounts where social_accounts.user_id = users.id order by provider))))`)}`;

/** A user to erase, with the hashes that stay. */
export interface Erasure {
  userId: string;
  snapshot: string;
  identifiers: HashedIdentifier[];
  identities: string[];
}

/** @param snapshot as `identitySnapshot` read it. */
export async function prepareErasure(deps: Pick<Deps, "keyring">, userId: string, snapshot: string): Promise<Erasure> {
  const { identifiers, accounts } = JSON.parse(snapshot) as { identifiers: string[]; accounts: ProviderAccount[] };
  return {
    userId,
    snapshot,
    identifiers: await Promise.all(
      identifiers.map(async (identifier) => ({ identifier, hash: await hashForOtpLimits(deps, identifier) })),
    ),
    identities: await hashIdentities(deps, identifiers, accounts),
  };
}

/**
 * The statements that delete an account: an audit row without values (`tombstoneId`) where `mayErase` holds for the row of
 * `users`, and all else only with it. They touch a bounded number of rows. Tables that may hold many rows per user keep
 * them, unreadable without the user, for `finish_account_deletion`.
 */
export function eraseAccount(
  deps: Pick<Deps, "db" | "now" | "newId" | "invocationId">,
  { userId, snapshot, identifiers, identities }: Erasure,
  tombstoneId: string,
  mayErase: SQL,
) {
  const isGone = sql`exists (select 1 from audit_logs where id = ${tombstoneId})`;
  const values = JSON.stringify(identifiers.map(({ identifier }) => identifier));
  const isOwn = sql`in (select value from json_each(${values})) and ${isGone}`;
  const challenges = sql`select cid from otp_challenges where identifier ${isOwn}`;
  const event = { userId, queue: "tasks" } as const;
  const newest = sql.raw(`order by created_at desc limit ${MAX_KV_ENTRIES}`);
  return {
    tombstone: recordAudit(
      deps,
      { ip: null, userAgent: null },
      { id: tombstoneId, userId, action: "DELETE", entityType: "user", entityId: userId, actorId: userId },
      sql`exists (select 1 from users where users.id = ${userId} and ${identitySnapshot} = ${snapshot} and ${mayErase})`,
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
          (select id from sessions where user_id = ${userId} ${newest}))), 'challenge_ids',
          json((select json_group_array(cid) from (select cid from otp_challenges where identifier ${isOwn}
          limit ${sql.raw(String(MAX_KV_ENTRIES))}))))`,
      },
      isGone,
    ),
    revocationEvent: recordRevocation(deps, userId, "APPLE", isGone),
    tokens: deps.db.delete(verificationTokens).where(sql`id in (${challenges})`),
    ...keepOtpLimits(deps, identifiers, isGone),
    networks: deps.db
      .delete(familiarNetworks)
      .where(sql`identifier ${isOwn} or (identifier = ${userId} and ${isGone})`),
    identities: recordFormerIdentities(deps, identities, isGone),
    // The inviter's ledger names the invitee; its own id keeps the row unique.
    inviterEntry: deps.db
      .update(pointTransactions)
      .set({ reference: sql`${pointTransactions.id}` })
      .where(
        sql`${pointTransactions.userId} = (select inviter_id from referrals where invitee_id = ${userId})
          and ${pointTransactions.source} = ${OWN_SOURCE} and ${pointTransactions.reason} = 'referral' and ${pointTransactions.reference} = ${userId} and ${isGone}`,
      ),
    liveSessions: deps.db.delete(sessions).where(and(eq(sessions.userId, userId), isNull(sessions.revokedAt), isGone)),
    messages: deps.db.delete(localOutbox).where(
      sql`recipient in (select value from json_each(${values}) union select fcm_token from devices where user_id = ${userId})
          and ${isGone}`,
    ),
    user: deps.db.delete(users).where(and(eq(users.id, userId), isGone)),
  };
}
