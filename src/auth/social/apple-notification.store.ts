import { and, eq, type SQL, sql } from "drizzle-orm";
import { sessions } from "../../db/sign-in-schema.ts";
import { socialAccounts } from "../../db/social-schema.ts";
import { users } from "../../db/user-schema.ts";
import { notices } from "../../delivery/notices.ts";
import { isAudited, recordAudit, selectAudit } from "../../platform/data/audit.ts";
import { commit } from "../../platform/data/commit.ts";
import { mergeStatements, runBatch } from "../../platform/data/database.ts";
import { processOnce } from "../../platform/data/once.ts";
import { eventsOf } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import { endSessions, selectEnded } from "../../sessions/session.store.ts";
import { recordNotification } from "../../users/notification.store.ts";
import { changeUser } from "../../users/user-change.store.ts";
import { recordFormerIdentities } from "../deletion/former-identity.store.ts";

type EventDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/** What Apple reports about an account that is linked here. */
export type AppleEventKind = "email-disabled" | "email-enabled" | "consent-revoked" | "account-deleted";

export interface AppleEvent {
  /** Apple's id of the notification. */
  id: string;
  kind: AppleEventKind;
  issuer: string;
  subject: string;
  /** When it happened, in milliseconds since the epoch. */
  at: number;
}

const apple = { ip: null, userAgent: null };

const isLink = ({ issuer, subject }: AppleEvent) =>
  and(eq(socialAccounts.issuer, issuer), eq(socialAccounts.subject, subject)) as SQL;

/** The user whom the event's account is linked to; undefined if there is none. */
export async function findLinkedUser(deps: EventDeps, event: AppleEvent): Promise<string | undefined> {
  const { found } = await runBatch(deps, {
    found: deps.db.select({ userId: socialAccounts.userId }).from(socialAccounts).where(isLink(event)),
  });
  return found[0]?.userId;
}

/** The columns that the event changes; undefined if it removes the link. */
function changesOf({ kind, at }: AppleEvent) {
  const erased = { sealedRefreshToken: null, sealKeyId: null, clientId: null };
  return {
    "email-disabled": { mailStoppedAt: at },
    "email-enabled": { mailStoppedAt: null },
    // Apple gives the same subject when the person returns, so the link stays, without being a way to sign in.
    "consent-revoked": { revokedAt: at, ...erased },
    "account-deleted": undefined,
  }[kind];
}

/**
 * Applies an event to the user's link once, in one transaction, with audit row and notification; a withdrawn consent or
 * a deleted account also ends the sessions that Apple opened. Changes nothing if the event was applied before, or is
 * older than the link or than the last event of it.
 *
 * @returns the ended sessions, and the events to publish.
 */
export async function applyAppleEvent(deps: EventDeps, userId: string, event: AppleEvent) {
  const { kind, at } = event;
  const { mark, isFirst } = processOnce(deps, "apple", event.id);
  const auditId = deps.newId();
  const isDone = isAudited(userId, auditId);
  const link = sql`social_accounts where ${isLink(event)} and ${socialAccounts.userId} = ${userId}`;
  const changes = changesOf(event);
  const endsSessions = kind === "consent-revoked" || kind === "account-deleted";
  const notice = endsSessions ? "APPLE_REVOKED" : kind === "email-disabled" ? "APPLE_MAIL_STOPPED" : undefined;
  const writes = mergeStatements(
    {
      mark,
      audit: recordAudit(
        deps,
        apple,
        {
          id: auditId,
          userId,
          action: changes ? "UPDATE" : "DELETE",
          entityType: "social_account",
          entityId: userId,
          newValues: sql`json_object('provider', 'APPLE', 'event', ${kind})`,
          actorId: null,
        },
        sql`${isFirst} and exists (select 1 from ${link}
          and ${at} > max(${socialAccounts.createdAt}, coalesce(${socialAccounts.eventAt}, 0)))`,
      ),
    },
    changes
      ? {
          changedLink: deps.db
            .update(socialAccounts)
            .set({ ...changes, eventAt: at })
            .where(sql`${isLink(event)} and ${isDone}`),
        }
      : {
          former: recordFormerIdentities(deps, sql`identity_hash`, sql`from ${link} and ${isDone}`),
          removedLink: deps.db.delete(socialAccounts).where(sql`${isLink(event)} and ${isDone}`),
        },
    changeUser(
      deps,
      userId,
      isDone,
      changes
        ? {}
        : {
            socialProfileData: sql`iif(upper(json_extract(${users.socialProfileData}, '$.provider')) = 'APPLE',
              null, ${users.socialProfileData})`,
          },
    ),
    notice && {
      notification: recordNotification(
        deps,
        { id: deps.newId(), kind: notice, texts: notices[notice] },
        sql`from users where users.id = ${userId} and ${isDone}`,
      ),
    },
    endsSessions
      ? endSessions(deps, apple, {
          userId,
          which: and(eq(sessions.method, "APPLE"), isDone),
          reason: "apple_revoked",
          endingId: auditId,
        })
      : undefined,
  );
  const found = await commit(deps, {
    writes,
    reads: { ended: selectEnded(deps, userId, auditId), done: selectAudit(deps, userId, auditId) },
    isCommitted: ({ done }) => done.length > 0,
  });
  return { endedSessions: found.ended.map(({ id }) => id), events: eventsOf(found.changeEvent) };
}
