import { and, asc, eq, ne, sql } from "drizzle-orm";
import { passkeys } from "../../db/identity-schema.ts";
import { sessions } from "../../db/sign-in-schema.ts";
import { socialAccounts } from "../../db/social-schema.ts";
import { users } from "../../db/user-schema.ts";
import { isAudited, recordAudit, selectAudit } from "../../platform/data/audit.ts";
import { commit } from "../../platform/data/commit.ts";
import { mergeStatements, type Results, runBatch } from "../../platform/data/database.ts";
import { eventsOf } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { Locale } from "../../platform/http/locale.ts";
import { provedAt } from "../../sessions/recent-proof.ts";
import { isSignedIn } from "../../sessions/session.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { changeUser } from "../../users/user-change.store.ts";

type IdentityDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/** Selects the caller's identity; no row in any of them if the session has ended. */
export function selectIdentity(deps: Pick<Deps, "db" | "now">, caller: AccessClaims) {
  const signedIn = isSignedIn(deps, caller);
  return {
    identity: deps.db
      .select({
        id: users.id,
        username: users.username,
        role: users.role,
        locale: users.locale,
        email: users.email,
        emailVerified: users.emailVerified,
        phoneNumber: users.phoneNumber,
        phoneVerified: users.phoneVerified,
        enrolmentUntil: users.passkeyEnrolmentUntil,
        provedAt: sql<number>`${provedAt}`.as("session_proved_at"),
        passkeyAt: sessions.passkeyAt,
      })
      .from(users)
      .innerJoin(sessions, and(eq(sessions.userId, users.id), eq(sessions.id, caller.sessionId)))
      .where(and(eq(users.id, caller.userId), signedIn)),
    links: deps.db
      .select({
        provider: socialAccounts.provider,
        email: socialAccounts.email,
        createdAt: socialAccounts.createdAt,
        revokedAt: socialAccounts.revokedAt,
        mailStoppedAt: socialAccounts.mailStoppedAt,
      })
      .from(socialAccounts)
      .where(and(eq(socialAccounts.userId, caller.userId), signedIn))
      .orderBy(asc(socialAccounts.provider)),
    passkeys: deps.db
      .select({
        id: passkeys.id,
        name: passkeys.name,
        credentialId: passkeys.credentialId,
        aaguid: passkeys.aaguid,
        isSynced: passkeys.isSynced,
        createdAt: passkeys.createdAt,
        lastUsedAt: passkeys.lastUsedAt,
      })
      .from(passkeys)
      .where(and(eq(passkeys.userId, caller.userId), signedIn))
      .orderBy(asc(passkeys.createdAt), asc(passkeys.id)),
  };
}

type Found = Results<ReturnType<typeof selectIdentity>>;

/** The rows of an identity. */
export interface IdentityRows {
  user: Found["identity"][number];
  links: Found["links"];
  passkeys: Found["passkeys"];
}

/** The identity that `selectIdentity` found; undefined if the session has ended. */
export function identityOf({ identity, links, passkeys }: Found): IdentityRows | undefined {
  const [user] = identity;
  return user && { user, links, passkeys };
}

/** The caller's identity; undefined if the session has ended. */
export async function findIdentity(deps: IdentityDeps, caller: AccessClaims): Promise<IdentityRows | undefined> {
  return identityOf(await runBatch(deps, selectIdentity(deps, caller)));
}

/**
 * Sets the language of messages to the caller, with audit row and event. Does nothing if it is that already.
 *
 * @returns the identity afterwards, undefined if the session has ended; and the events to publish.
 */
export async function changeLocale(deps: IdentityDeps, client: Client, caller: AccessClaims, locale: Locale) {
  const { userId } = caller;
  const auditId = deps.newId();
  const isChanged = isAudited(userId, auditId);
  const differing = deps.db
    .select({ one: sql`1` })
    .from(users)
    .where(and(eq(users.id, userId), ne(users.locale, locale)));
  const writes = mergeStatements(
    {
      audit: recordAudit(
        deps,
        client,
        {
          id: auditId,
          userId,
          action: "UPDATE",
          // Not `user`, which the daily limit of audited writes does not count.
          entityType: "profile",
          entityId: sql`(select id from profiles where user_id = ${userId})`,
          oldValues: sql`(select json_object('locale', locale) from users where id = ${userId})`,
          newValues: sql`json_object('locale', ${locale})`,
          actorId: userId,
          sessionId: caller.sessionId,
        },
        sql`exists ${differing} and ${isSignedIn(deps, caller)}`,
      ),
    },
    changeUser(deps, userId, isChanged, { locale }),
  );
  const reads = mergeStatements(selectIdentity(deps, caller), {
    changed: selectAudit(deps, userId, auditId),
  });
  const found = await commit(deps, { writes, reads, isCommitted: ({ changed }) => changed.length > 0 });
  return { identity: identityOf(found), events: eventsOf(found.changeEvent) };
}
