import { and, eq, type SQL, sql } from "drizzle-orm";
import { identityChanges, passkeys } from "../../db/identity-schema.ts";
import { familiarNetworks, otpChallenges } from "../../db/sign-in-schema.ts";
import { socialAccounts } from "../../db/social-schema.ts";
import { users } from "../../db/user-schema.ts";
import { recordSignInAudit } from "../../platform/data/audit.ts";
import { commit } from "../../platform/data/commit.ts";
import { BINDING_DEADLINE_MS, instantOf, mergeStatements } from "../../platform/data/database.ts";
import { eventsOf, recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { endSessions } from "../../sessions/session.store.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { changeUser } from "../../users/user-change.store.ts";
import { maySignIn } from "../account/may-sign-in.store.ts";
import { recordFormerIdentities } from "../deletion/former-identity.store.ts";
import { hasLiveToken } from "../otp/verification-token.store.ts";
import { profileDataWithout } from "../social/social-account.store.ts";
import { recordRevocation } from "../social/social-link.store.ts";
import { UNDO_WINDOW_MS } from "./identity-limits.ts";
import { tellVerifiedAddresses } from "./security-message.store.ts";

type UndoDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/**
 * Id of the newest change in the undo window that took the identifier from an account of role `user` and meets
 * `condition`, if the account does not have the identifier again; NULL if there is none.
 */
function newestChange(deps: Pick<Deps, "now">, identifier: Identifier, condition: SQL): SQL {
  return sql`(select c.id from identity_changes c inner join users on users.id = c.user_id
    where c.old_identifier = ${identifier.value} and c.created_at > ${deps.now() - UNDO_WINDOW_MS} and users.role = 'user'
    and (${isIdentifiedBy(identifier)}) is not true and ${condition} order by c.number desc limit 1)`;
}

/** SQL about the account whose change this invocation has settled, and about its identifiers before the window. */
function accountOf(deps: Pick<Deps, "now" | "invocationId">, identifier: Identifier) {
  const settledHere = sql`from identity_changes s where s.old_identifier = ${identifier.value} and s.settled_by = ${deps.invocationId}`;
  const userId = sql`(select s.user_id ${settledHere})`;
  const hasOutcome = (outcome: string) => sql`exists (select 1 ${settledHere} and s.outcome = ${outcome})`;
  const inWindow = sql`from identity_changes w where w.user_id = ${userId} and w.created_at > ${deps.now() - UNDO_WINDOW_MS}
    and (w.outcome is null or w.settled_by = ${deps.invocationId})`;
  // A call that adds a passkey or a link may have an earlier timestamp and yet commit after the change.
  const since = sql`(select min(w.created_at) - ${BINDING_DEADLINE_MS} ${inWindow})`;
  const isChanged = (kind: Identifier["kind"]) => sql`exists (select 1 ${inWindow} and w.kind = ${kind})`;
  const before = (kind: Identifier["kind"]) =>
    sql`(select w.old_identifier ${inWindow} and w.kind = ${kind} order by w.number limit 1)`;
  const other = identifier.kind === "email" ? "phone" : "email";
  const present = sql.raw(
    other === "email"
      ? "iif(users.email_verified, users.email, null)"
      : "iif(users.phone_verified, users.phone_number, null)",
  );
  const hasOlderWayIn = sql`(iif(${isChanged(other)}, ${before(other)}, ${present}) is not null
    or exists (select 1 from social_accounts l where l.user_id = users.id and l.revoked_at is null and l.created_at < ${since})
    or exists (select 1 from passkeys p where p.user_id = users.id and p.created_at < ${since}))`;
  /** An account that would have no way to sign in gets the disputed identifier itself. */
  const restored = (kind: Identifier["kind"]) =>
    kind === identifier.kind
      ? sql`coalesce(${before(kind)}, iif(${hasOlderWayIn}, null, ${identifier.value}))`
      : before(kind);
  return { userId, hasOutcome, inWindow, since, isChanged, restored };
}

/**
 * Disputes the change that took the identifier from its account, in one transaction. If the same identifier proved the
 * change, every change of the account in the undo window is undone, and the passkeys and links added since are removed,
 * the links with their providers' claims (RESTORED). Otherwise the account becomes inactive until staff decide (HELD),
 * because the present holder of the identifier may have stolen it. All sessions end. Changes nothing unless the token
 * is live and there is such a change.
 *
 * @returns `token` with its use; `outcome`, of this call or of the call that used the token; `isBlocked`: the account
 *   may not sign in, so only staff can help.
 */
export async function disputeChange(deps: UndoDeps, client: Client, identifier: Identifier, cid: string) {
  const { userId, hasOutcome, inWindow, since, isChanged, restored } = accountOf(deps, identifier);
  const isRestored = hasOutcome("RESTORED");
  const isHeld = hasOutcome("HELD");
  const isDone = sql`${userId} is not null`;
  const isToken = and(eq(otpChallenges.cid, cid), eq(otpChallenges.identifier, identifier.value));
  const live = deps.db
    .select({ one: sql`1` })
    .from(otpChallenges)
    .where(and(isToken, hasLiveToken(deps)));
  const isNew = sql`user_id = ${userId} and created_at >= ${since} and ${isRestored}`;
  const settlement = { settledBy: deps.invocationId, settledAt: instantOf(deps.now()) };
  const after = (kind: Identifier["kind"], column: SQL) => sql`iif(${isChanged(kind)}, ${restored(kind)}, ${column})`;
  const email = after("email", sql.raw("users.email"));
  const phone = after("phone", sql.raw("users.phone_number"));
  const writes = mergeStatements(
    {
      settledChange: deps.db
        .update(identityChanges)
        .set({ outcome: sql`iif(${identityChanges.isProvedByOld}, 'RESTORED', 'HELD')`, ...settlement })
        .where(sql`id = ${newestChange(deps, identifier, sql`c.outcome is null and ${maySignIn}`)} and exists ${live}`),
      usedToken: deps.db
        .update(otpChallenges)
        .set({ usedBy: deps.invocationId, usedAt: deps.now(), usedFor: "DISPUTE" })
        .where(and(isToken, isDone)),
      audit: recordSignInAudit(
        deps,
        client,
        {
          userId,
          action: "UPDATE",
          entityType: "user",
          entityId: userId,
          oldValues: sql`(select json_object('email', email, 'phone_number', phone_number, 'status', status)
            from users where id = ${userId})`,
          newValues: sql`(select iif(${isRestored},
            json_object('outcome', 'RESTORED', 'email', ${email}, 'phone_number', ${phone}),
            json_object('outcome', 'HELD', 'status', 'INACTIVE', 'status_reason', 'disputed')) from users where id = ${userId})`,
          actorId: userId,
        },
        isDone,
      ),
      forgottenNetworks: deps.db
        .delete(familiarNetworks)
        .where(sql`identifier in (select w.new_identifier ${inWindow}) and ${isRestored}`),
      revocationEvent: recordRevocation(
        deps,
        userId,
        "APPLE",
        sql`exists (select 1 from social_accounts where provider = 'APPLE' and ${isNew})`,
      ),
      former: recordFormerIdentities(deps, sql`identity_hash`, sql`from social_accounts where ${isNew}`),
    },
    endSessions(deps, client, { userId, which: isDone, reason: "identity_disputed" }),
    {
      // An identifier from before the window was verified, so its flag is set again.
      restoredUser: deps.db
        .update(users)
        .set({
          email,
          phoneNumber: phone,
          emailVerified: sql`iif(${isChanged("email")}, ${email} is not null, email_verified)`,
          phoneVerified: sql`iif(${isChanged("phone")}, ${phone} is not null, phone_verified)`,
        })
        .where(sql`${users.id} = ${userId} and ${isRestored}`),
      heldUser: deps.db
        .update(users)
        .set({ status: "INACTIVE", statusReason: "disputed" })
        .where(sql`${users.id} = ${userId} and ${isHeld}`),
      // Apart from `restoredUser`, because D1 binds at most 100 parameters of a statement.
      removedClaims: deps.db
        .update(users)
        .set({ socialProfileData: profileDataWithout(sql`select provider from social_accounts where ${isNew}`) })
        .where(sql`${users.id} = ${userId} and ${isRestored}`),
      removedLinks: deps.db.delete(socialAccounts).where(isNew),
      removedPasskeys: deps.db.delete(passkeys).where(isNew),
      // Comes after the statements that read the changes to undo.
      settledOthers: deps.db
        .update(identityChanges)
        .set({ outcome: sql`iif(${isRestored}, 'RESTORED', 'HELD')`, ...settlement })
        .where(sql`user_id = ${userId} and outcome is null and created_at > ${deps.now() - UNDO_WINDOW_MS}`),
    },
    changeUser(deps, userId, isDone),
    {
      restoredEvent: recordEvent(
        deps,
        { type: "auth.identity_restored", userId, payload: "{}", queue: "tasks" },
        isRestored,
      ),
      heldEvent: recordEvent(deps, { type: "auth.identity_held", userId, payload: "{}", queue: "tasks" }, isHeld),
    },
    tellVerifiedAddresses(deps, userId, sql`iif(${isRestored}, 'IDENTITY_RESTORED', 'IDENTITY_HELD')`, isDone),
  );
  const isBlocked = sql`(c.outcome is null or c.outcome = 'HELD') and not (${maySignIn})`;
  const reads = {
    token: deps.db
      .select({ usedBy: otpChallenges.usedBy, usedAt: otpChallenges.usedAt, usedFor: otpChallenges.usedFor })
      .from(otpChallenges)
      .where(isToken),
    isLive: deps.db
      .select({ one: sql`1` })
      .from(otpChallenges)
      .where(and(isToken, hasLiveToken(deps))),
    settled: deps.db
      .select({ outcome: identityChanges.outcome })
      .from(identityChanges)
      .where(
        sql`old_identifier = ${identifier.value} and settled_by = (select used_by from otp_challenges where cid = ${cid})`,
      )
      .limit(1),
    blocked: deps.db
      .select({ one: sql`1` })
      .from(sql`(select 1)`)
      .where(sql`${newestChange(deps, identifier, isBlocked)} is not null`),
  };
  const found = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ token }) => token[0]?.usedBy === deps.invocationId,
  });
  return {
    isDone: found.token[0]?.usedBy === deps.invocationId,
    token: found.token[0],
    isLive: found.isLive.length > 0,
    outcome: found.settled[0]?.outcome ?? undefined,
    isBlocked: found.blocked.length > 0,
    endedSessions: found.endedSessions?.map(({ id }) => id) ?? [],
    events: eventsOf(
      found.changeEvent,
      found.restoredEvent,
      found.heldEvent,
      found.emailMessage,
      found.phoneMessage,
      found.revocationEvent,
    ),
  };
}
