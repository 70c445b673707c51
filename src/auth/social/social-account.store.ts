import { type SQL, sql } from "drizzle-orm";
import { socialAccounts } from "../../db/social-schema.ts";
import { profiles, users } from "../../db/user-schema.ts";
import { isAudited, recordAudit } from "../../platform/data/audit.ts";
import { insertWhere, instantOf } from "../../platform/data/database.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { nextVersion, recordUserUpdated } from "../../users/user-change.store.ts";
import type { SocialIdentity } from "./social-identity.ts";

type LinkDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId">;

/** An identity to store, with Apple's refresh token. */
export interface SocialAccount {
  identity: SocialIdentity;
  /** The hash by `hashProviderAccount`. */
  identityHash: string;
  /** Apple's refresh token, encrypted and kept for its revocation; undefined for Google. */
  refreshToken: { sealed: string; keyId: string; clientId: string } | undefined;
}

/** The provider as stored in the tables. */
export const providerOf = ({ provider }: Pick<SocialIdentity, "provider">) =>
  provider === "google" ? ("GOOGLE" as const) : ("APPLE" as const);

/** A FROM and WHERE clause for the identity's row. */
const rowOf = ({ issuer, subject }: SocialIdentity) =>
  sql`social_accounts where issuer = ${issuer} and subject = ${subject}`;

/** A scalar subquery for the id of the user linked to the identity; NULL if there is none. */
export function linkedUser(identity: SocialIdentity): SQL {
  return sql`(select user_id from ${rowOf(identity)})`;
}

/** The provider's claims about the person, as JSON. They are asserted, not verified. */
export function profileDataOf({ provider, email, isEmailAuthoritative, name, picture }: SocialIdentity): string {
  return JSON.stringify({ provider, email, is_email_authoritative: isEmailAuthoritative, name, picture });
}

/**
 * The value of `users.social_profile_data` when links are removed: NULL if the claims are of one of these providers.
 *
 * @param removed a list of providers or a subquery, as stored in the tables; see `providerOf`.
 */
export const profileDataWithout = (removed: SQL | string): SQL =>
  sql`iif(upper(json_extract(${users.socialProfileData}, '$.provider')) in (${removed}), null,
    ${users.socialProfileData})`;

/**
 * Links the identity to the user if `condition` holds and nobody has it yet: social account, name and picture if the
 * profile has none, audit row and events. Stores the refresh token even if the link already exists.
 *
 * @param link `isNew`: this sign-in has just created the account.
 */
export function linkAccount(
  deps: LinkDeps,
  client: Client,
  { identity, identityHash, refreshToken }: SocialAccount,
  link: { userId: SQL; isNew: SQL; actorSessionId: string },
  condition: SQL,
) {
  const now = deps.now();
  const auditId = deps.newId();
  const provider = providerOf(identity);
  const userId = linkedUser(identity);
  const isLinkedHere = isAudited(userId, auditId);
  const event = { userId, queue: "tasks" } as const;
  return {
    linked: insertWhere(
      deps,
      socialAccounts,
      {
        issuer: identity.issuer,
        subject: identity.subject,
        provider,
        userId: link.userId,
        identityHash,
        email: identity.email,
        linkedBy: deps.invocationId,
        createdAt: now,
      },
      sql`${condition} and not exists (select 1 from ${rowOf(identity)}) and ${link.userId} is not null
        and not exists (select 1 from social_accounts where user_id = ${link.userId} and provider = ${provider})`,
    ).returning({ issuer: socialAccounts.issuer }),
    linkAudit: recordAudit(
      deps,
      client,
      {
        id: auditId,
        userId,
        action: "CREATE",
        entityType: "social_account",
        entityId: userId,
        newValues: sql`json_object('provider', ${provider})`,
        actorId: userId,
        sessionId: link.actorSessionId,
      },
      sql`${condition} and exists (select 1 from ${rowOf(identity)} and linked_by = ${deps.invocationId})`,
    ),
    refreshToken: refreshToken
      ? deps.db
          .update(socialAccounts)
          .set({
            sealedRefreshToken: refreshToken.sealed,
            sealKeyId: refreshToken.keyId,
            clientId: refreshToken.clientId,
          })
          .where(sql`issuer = ${identity.issuer} and subject = ${identity.subject} and ${condition}`)
      : undefined,
    filledUser: deps.db
      .update(users)
      .set({
        profilePicture: sql`coalesce(${users.profilePicture}, ${identity.picture})`,
        socialProfileData: sql`${profileDataOf(identity)}`,
        version: sql`${users.version} + not ${link.isNew}`,
        updatedAt: instantOf(now),
      })
      .where(sql`${users.id} = ${userId} and ${isLinkedHere}`),
    filledProfile: deps.db
      .update(profiles)
      .set({
        fullName: sql`coalesce(${profiles.fullName}, ${identity.name})`,
        avatarUrl: sql`coalesce(${profiles.avatarUrl}, ${identity.picture})`,
        updatedAt: instantOf(now),
      })
      .where(
        sql`${profiles.userId} = ${userId} and ${isLinkedHere}
          and (full_name is null and ${identity.name} is not null or avatar_url is null and ${identity.picture} is not null)`,
      ),
    linkEvent: recordEvent(
      deps,
      {
        ...event,
        type: "auth.social_linked",
        payload: JSON.stringify({ provider }),
      },
      sql`${isLinkedHere} and not ${link.isNew}`,
    ),
    linkChangeEvent: recordUserUpdated(deps, userId, sql`${isLinkedHere} and not ${link.isNew}`),
    welcomeEvent: recordEvent(
      deps,
      { ...event, type: "user.social_registered", payload: JSON.stringify({ provider }) },
      sql`${isLinkedHere} and ${link.isNew}`,
    ),
  };
}

/**
 * Makes a link whose consent was withdrawn a way to sign in again if `condition` holds, with an audit row and events
 * like those of a new link: its owner has just signed in or linked with it.
 */
export function reviveLink(
  deps: LinkDeps,
  client: Client,
  identity: SocialIdentity,
  actorSessionId: string,
  condition: SQL,
) {
  const provider = providerOf(identity);
  // Only Apple reports that a consent was withdrawn.
  if (provider !== "APPLE") return undefined;
  const now = instantOf(deps.now());
  const auditId = deps.newId();
  const userId = linkedUser(identity);
  const isRevivedHere = isAudited(userId, auditId);
  return {
    revivalAudit: recordAudit(
      deps,
      client,
      {
        id: auditId,
        userId,
        action: "UPDATE",
        entityType: "social_account",
        entityId: userId,
        newValues: sql`json_object('provider', ${provider}, 'event', 'linked-again')`,
        actorId: userId,
        sessionId: actorSessionId,
      },
      sql`${condition} and exists (select 1 from ${rowOf(identity)} and revoked_at is not null)`,
    ),
    revivedLink: deps.db
      .update(socialAccounts)
      .set({ revokedAt: null, consentEventAt: sql`max(coalesce(consent_event_at, 0), ${now})` })
      .where(sql`issuer = ${identity.issuer} and subject = ${identity.subject} and ${isRevivedHere}`),
    revivedUser: deps.db
      .update(users)
      .set(nextVersion(deps.now()))
      .where(sql`${users.id} = ${userId} and ${isRevivedHere}`),
    revivalEvent: recordEvent(
      deps,
      { type: "auth.social_linked", userId, payload: JSON.stringify({ provider }), queue: "tasks" },
      isRevivedHere,
    ),
    revivalChangeEvent: recordUserUpdated(deps, userId, isRevivedHere),
  };
}
