import { type SQL, sql } from "drizzle-orm";
import { identityChanges } from "../../db/identity-schema.ts";
import { familiarNetworks, otpChallenges } from "../../db/sign-in-schema.ts";
import { recordSignInAudit } from "../../platform/data/audit.ts";
import { insertFrom } from "../../platform/data/database.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import type { Value } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import type { Identifier } from "../../users/identifier.ts";
import { changeUser } from "../../users/user-change.store.ts";
import { nextChangeNumber } from "../identity/reservation.store.ts";
import { tellAddress } from "../identity/security-message.store.ts";
import { hasLiveToken } from "../otp/verification-token.store.ts";
import { maySignIn } from "./may-sign-in.store.ts";

type NumberDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId">;

/**
 * The time (epoch ms) since which an account must have had a sign-in or refresh; otherwise its number may have a new
 * owner. -1, which every account meets, if this is not checked, and for e-mail addresses, which are rarely reassigned.
 */
export function dormantBefore(deps: Pick<Deps, "config" | "now">, { kind }: Pick<Identifier, "kind">): number {
  const { recycledAfterMs } = deps.config;
  return kind === "phone" && recycledAfterMs !== undefined ? deps.now() - recycledAfterMs : -1;
}

/**
 * The row of `users` has had no sign-in or refresh since `before` and holds a name, a KYC, a balance, or another
 * verified way to sign in. A code by SMS alone does not enter such an account.
 */
export function isDormant(before: Value<number>): SQL {
  return sql`(coalesce(users.last_login, users.date_joined) < ${before} and (users.kyc_status <> 'NOT_SUBMITTED'
    or (users.email is not null and users.email_verified)
    or exists (select 1 from profiles p where p.user_id = users.id and p.full_name is not null)
    or exists (select 1 from wallets w where w.user_id = users.id and w.balance_minor <> 0)
    or exists (select 1 from social_accounts l where l.user_id = users.id and l.revoked_at is null)
    or exists (select 1 from passkeys k where k.user_id = users.id)))`;
}

/** The row of `users` is dormant, is not staff and may sign in, so its number can be taken off it. */
export function isReleasable(before: Value<number>): SQL {
  return sql`(users.role = 'user' and ${maySignIn} and ${isDormant(before)})`;
}

/** What proves, in addition to a code by SMS, that a sleeping account belongs to the caller. */
export interface SecondProof {
  /** Challenge id of a verification token of the account's verified e-mail address; "" if there is none. */
  emailCid: string;
  /** Claims of a refresh token of this service, expired or not; undefined if there is none. */
  oldSession: AccessClaims | undefined;
}

/**
 * The second proof belongs to the row of `users`. A refresh token of a session that ended because of its reuse does not
 * count as long as that session's row is kept, which `purgeRules` does for the longest sleep that can be configured.
 */
export function hasSecondProof(deps: Pick<Deps, "db" | "now">, { emailCid, oldSession }: SecondProof): SQL {
  const live = deps.db
    .select({ one: sql`1` })
    .from(otpChallenges)
    .where(
      sql`${otpChallenges.cid} = ${emailCid} and ${otpChallenges.identifier} = users.email and ${hasLiveToken(deps)}`,
    );
  const byToken = sql`(users.email_verified and exists ${live})`;
  if (!oldSession) return byToken;
  return sql`(${byToken} or (users.id = ${oldSession.userId} and not exists (select 1 from sessions s
    where s.user_id = users.id and s.id = ${oldSession.sessionId} and s.revoked_reason = 'refresh_reuse')))`;
}

/** Uses the second proof's verification token up if `isDone` holds. */
export function spendSecondProof(deps: NumberDeps, { emailCid }: SecondProof, isDone: SQL) {
  return deps.db
    .update(otpChallenges)
    .set({ usedBy: deps.invocationId, usedAt: deps.now(), usedFor: "LOGIN" })
    .where(sql`${otpChallenges.cid} = ${emailCid} and ${hasLiveToken(deps)} and ${isDone}`);
}

/**
 * Takes the phone number off the sleeping account that has it, if `condition` holds, and tells that account. It keeps
 * everything else. Belongs before the statement that gives the number to its new owner.
 */
export function releaseNumber(deps: NumberDeps, client: Client, phone: string, before: number, condition: SQL) {
  const now = deps.now();
  const released = sql`from identity_changes r where r.old_identifier = ${phone} and r.settled_by = ${deps.invocationId}
    and r.outcome = 'RELEASED'`;
  const userId = sql`(select r.user_id ${released})`;
  const isReleased = sql`exists (select 1 ${released})`;
  const { changedUser, changeEvent } = changeUser(deps, userId, isReleased, {
    phoneNumber: null,
    phoneVerified: false,
  });
  return {
    released: insertFrom(
      deps,
      identityChanges,
      {
        id: deps.newId(),
        userId: sql`users.id`,
        number: nextChangeNumber,
        kind: "phone",
        oldIdentifier: phone,
        newIdentifier: null,
        provedBy: "PHONE",
        isProvedByOld: false,
        createdAt: now,
        outcome: "RELEASED",
        settledBy: deps.invocationId,
        settledAt: now,
      },
      sql`from users where users.phone_number = ${phone} and ${isReleasable(before)} and ${condition}`,
    ),
    releaseAudit: recordSignInAudit(
      deps,
      client,
      {
        userId,
        action: "UPDATE",
        entityType: "user",
        entityId: userId,
        oldValues: sql`json_object('phone_number', ${phone})`,
        newValues: sql`json_object('phone_number', null, 'reason', 'recycled')`,
        actorId: null,
      },
      isReleased,
    ),
    releasedNetworks: deps.db.delete(familiarNetworks).where(sql`identifier = ${phone} and ${isReleased}`),
    releasedUser: changedUser,
    releasedChangeEvent: changeEvent,
    releasedEvent: recordEvent(
      deps,
      { type: "auth.number_released", userId, payload: "{}", queue: "tasks" },
      isReleased,
    ),
    releasedMessage: tellAddress(deps, userId, "email", "NUMBER_RELEASED", isReleased),
  };
}
