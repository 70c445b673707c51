import { and, eq, ne, type SQL, sql } from "drizzle-orm";
import { sessions } from "../../db/sign-in-schema.ts";
import { socialAccounts } from "../../db/social-schema.ts";
import { users } from "../../db/user-schema.ts";
import { isAudited, recordAudit, selectAudit } from "../../platform/data/audit.ts";
import { commit } from "../../platform/data/commit.ts";
import { mergeStatements, runBatch } from "../../platform/data/database.ts";
import { eventsOf, recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { endSessions, isSignedIn, selectEnded } from "../../sessions/session.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { changeUser } from "../../users/user-change.store.ts";
import { isReauthenticated, spendReauthentication } from "../account/reauthentication.store.ts";
import { recordFormerIdentities } from "../deletion/former-identity.store.ts";
import { hasOtherWayIn } from "../identity/ways-in.store.ts";
import {
  linkAccount,
  linkedUser,
  profileDataWithout,
  providerOf,
  reviveLink,
  type SocialAccount,
} from "./social-account.store.ts";
import { isCredentialUsedByThisInvocation, redeemCredential } from "./social-credential.store.ts";
import type { SocialIdentity } from "./social-identity.ts";

type LinkDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;
type Provider = (typeof socialAccounts.$inferSelect)["provider"];

/** Whether the caller has re-authenticated; no row if the caller is not signed in. */
function selectCaller(deps: LinkDeps, caller: AccessClaims, verifiedCid: string | undefined) {
  return deps.db
    .select({ isReauthenticated: sql<number>`${isReauthenticated(deps, caller, verifiedCid)}` })
    .from(users)
    .where(and(eq(users.id, caller.userId), isSignedIn(deps, caller)));
}

/** The facts that can prevent a link. */
export interface LinkObstacles {
  /** Undefined if the session has ended. */
  caller: { isReauthenticated: number } | undefined;
  isTokenUsed: boolean;
  /** The user linked to the identity. */
  holderId: string | undefined;
  /** That user's link is no way to sign in, because its consent was withdrawn at the provider. */
  isWithdrawn: boolean;
  /** The caller is linked to an account at this provider. */
  hasAnother: boolean;
}

function readObstacles(
  deps: LinkDeps,
  caller: AccessClaims,
  { issuer, subject, provider }: SocialIdentity,
  credentialHash: string,
  verifiedCid: string | undefined,
) {
  return {
    caller: selectCaller(deps, caller, verifiedCid),
    isUsed: deps.db.select({ one: sql`1` }).from(sql`social_proofs`).where(sql`proof_hash = ${credentialHash}`),
    holder: deps.db
      .select({ userId: socialAccounts.userId, revokedAt: socialAccounts.revokedAt })
      .from(socialAccounts)
      .where(and(eq(socialAccounts.issuer, issuer), eq(socialAccounts.subject, subject))),
    another: deps.db
      .select({ subject: socialAccounts.subject })
      .from(socialAccounts)
      .where(and(eq(socialAccounts.userId, caller.userId), eq(socialAccounts.provider, providerOf({ provider })))),
  };
}

type FoundObstacles = { [K in keyof ReturnType<typeof readObstacles>]: Awaited<ReturnType<typeof readObstacles>[K]> };

const describeObstacles = (found: FoundObstacles): LinkObstacles => ({
  caller: found.caller[0],
  isTokenUsed: found.isUsed.length > 0,
  holderId: found.holder[0]?.userId,
  isWithdrawn: (found.holder[0]?.revokedAt ?? null) !== null,
  hasAnother: found.another.length > 0,
});

/** The obstacles to a link. Writes nothing. */
export async function previewLink(
  deps: LinkDeps,
  caller: AccessClaims,
  identity: SocialIdentity,
  credentialHash: string,
  verifiedCid: string | undefined,
): Promise<LinkObstacles> {
  return describeObstacles(await runBatch(deps, readObstacles(deps, caller, identity, credentialHash, verifiedCid)));
}

/**
 * Links the identity to the caller and redeems the ID token and the caller's verification token. A link of the caller
 * whose consent was withdrawn becomes a way to sign in again, with the new refresh token. Changes nothing unless the
 * caller is signed in and re-authenticated, and either has such a withdrawn link, or the identity is unlinked and the
 * caller has no account at the provider.
 */
export async function linkIdentity(
  deps: LinkDeps,
  client: Client,
  caller: AccessClaims,
  social: SocialAccount,
  credentialHash: string,
  verifiedCid: string | undefined,
) {
  // A link opens no session.
  const redemption = { kind: "id_token", credentialHash, sessionId: "" } as const;
  const userId = sql`(select id from users where id = ${caller.userId})`;
  const isRedeemed = isCredentialUsedByThisInvocation(deps, redemption);
  const provider = providerOf(social.identity);
  const isFree = sql`${linkedUser(social.identity)} is null
    and not exists (select 1 from social_accounts where user_id = ${caller.userId} and provider = ${provider})`;
  const { issuer, subject } = social.identity;
  const isWithdrawn = sql`exists (select 1 from social_accounts where issuer = ${issuer} and subject = ${subject}
    and user_id = ${caller.userId} and revoked_at is not null)`;
  const writes = mergeStatements(
    {
      redeemedCredential: redeemCredential(
        deps,
        redemption,
        sql`(${isFree} or ${isWithdrawn}) and ${isSignedIn(deps, caller)}
          and ${isReauthenticated(deps, caller, verifiedCid)}`,
      ),
    },
    linkAccount(deps, client, social, { userId, isNew: sql`false`, actorSessionId: caller.sessionId }, isRedeemed),
    reviveLink(deps, client, social.identity, caller.sessionId, isRedeemed),
    { spent: spendReauthentication(deps, caller, verifiedCid, isRedeemed) },
  );
  const reads = readObstacles(deps, caller, social.identity, credentialHash, verifiedCid);
  // After a lost response the caller repeats the call and learns that the link exists.
  const found = await runBatch(deps, mergeStatements(writes, reads));
  return {
    ...describeObstacles(found),
    isLinked: found.linked.length > 0 || (found.revivalEvent ?? []).length > 0,
    events: eventsOf(found.linkEvent, found.linkChangeEvent, found.revivalEvent, found.revivalChangeEvent),
  };
}

/**
 * Removes the caller's link to the provider, with audit row and events, including the revocation at Apple; ends the
 * sessions opened by the provider's sign-in except the caller's; redeems the caller's verification token. Changes
 * nothing unless the caller is signed in, re-authenticated and has another verified way to sign in.
 */
export async function unlinkIdentity(
  deps: LinkDeps,
  client: Client,
  caller: AccessClaims,
  provider: Provider,
  verifiedCid: string | undefined,
) {
  const { userId } = caller;
  const socialAccount = sql`social_accounts where user_id = ${userId} and provider = ${provider}`;
  const auditId = deps.newId();
  const isUnlinkedHere = isAudited(userId, auditId);
  const writes = mergeStatements(
    {
      audit: recordAudit(
        deps,
        client,
        {
          id: auditId,
          userId,
          action: "DELETE",
          entityType: "social_account",
          entityId: userId,
          oldValues: sql`json_object('provider', ${provider})`,
          actorId: userId,
          sessionId: caller.sessionId,
        },
        sql`exists (select 1 from ${socialAccount}) and ${hasOtherWayIn(userId, { provider })} and ${isSignedIn(deps, caller)}
        and ${isReauthenticated(deps, caller, verifiedCid)}`,
      ),
      unlinkEvent: recordEvent(
        deps,
        { type: "auth.social_unlinked", userId, payload: JSON.stringify({ provider }), queue: "tasks" },
        isUnlinkedHere,
      ),
      revocationEvent: recordRevocation(deps, userId, provider, isUnlinkedHere),
      former: recordFormerIdentities(deps, sql`identity_hash`, sql`from ${socialAccount} and ${isUnlinkedHere}`),
      unlinked: deps.db
        .delete(socialAccounts)
        .where(and(eq(socialAccounts.userId, userId), eq(socialAccounts.provider, provider), isUnlinkedHere)),
    },
    changeUser(deps, userId, isUnlinkedHere, { socialProfileData: profileDataWithout(provider) }),
    {
      spent: spendReauthentication(deps, caller, verifiedCid, isUnlinkedHere),
    },
    endSessions(deps, client, {
      userId,
      which: and(eq(sessions.method, provider), ne(sessions.id, caller.sessionId), isUnlinkedHere),
      reason: "unlinked",
      endingId: auditId,
    }),
  );
  const reads = {
    ended: selectEnded(deps, userId, auditId),
    isUnlinked: selectAudit(deps, userId, auditId),
    caller: selectCaller(deps, caller, verifiedCid),
    account: deps.db
      .select({ userId: socialAccounts.userId })
      .from(socialAccounts)
      .where(and(eq(socialAccounts.userId, userId), eq(socialAccounts.provider, provider))),
  };
  const found = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ isUnlinked }) => isUnlinked.length > 0,
  });
  return {
    isUnlinked: found.isUnlinked.length > 0,
    caller: found.caller[0],
    hasAccount: found.account.length > 0,
    endedSessions: found.ended.map(({ id }) => id),
    events: eventsOf(found.unlinkEvent, found.changeEvent, found.revocationEvent),
  };
}

/** Records the event that revokes the refresh token of the user's account at the provider, if it has one. */
export function recordRevocation(
  deps: Pick<Deps, "db" | "now" | "newId" | "invocationId">,
  userId: string | SQL,
  provider: Provider,
  condition: SQL,
) {
  const socialAccount = sql`social_accounts where user_id = ${userId} and provider = ${provider} and sealed_refresh_token is not null`;
  return recordEvent(
    deps,
    {
      type: "social.revocation_due",
      userId,
      payload: sql`(select json_object('sealed', sealed_refresh_token, 'keyId', seal_key_id, 'clientId', client_id) from ${socialAccount})`,
      queue: "tasks",
    },
    sql`${condition} and exists (select 1 from ${socialAccount})`,
  );
}
