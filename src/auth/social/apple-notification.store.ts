import { and, eq, type SQL, sql } from "drizzle-orm";
import { sessions } from "../../db/sign-in-schema.ts";
import { socialAccounts } from "../../db/social-schema.ts";
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
import { profileDataWithout } from "./social-account.store.ts";

type EventDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/** Kinds of Apple's account notifications that change a link. */
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

/** Apple's servers call, not a device of the user. */
const noClient = { ip: null, userAgent: null };

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
    "email-disabled": { mailStoppedAt: at, mailEventAt: at },
    "email-enabled": { mailStoppedAt: null, mailEventAt: at },
    // The link stays, without being a way to sign in, because Apple gives the same subject when the person returns.
    "consent-revoked": { revokedAt: at, consentEventAt: at, ...erased },
    "account-deleted": undefined,
  }[kind];
}

/**
 * The event is newer than the link, and no later event of its own sort was applied; events about mail and events about
 * consent are ordered separately. Apple may send times in whole seconds, so a withdrawal may have the time of the last
 * event about consent.
 */
function isCurrent({ kind, at }: AppleEvent): SQL {
  const isMail = kind === "email-disabled" || kind === "email-enabled";
  const isLast = isMail
    ? sql`${at} > coalesce(${socialAccounts.mailEventAt}, 0)`
    : sql`${at} >= coalesce(${socialAccounts.consentEventAt}, 0)`;
  return sql`${at} > ${socialAccounts.createdAt} and ${isLast}`;
}

/**
 * Applies an event to the user's link at most once, in one transaction with an audit row, `user.updated` and, for all
 * kinds but `email-enabled`, a notification. A withdrawn consent or a deleted account also ends the sessions opened
 * with Apple. Changes nothing if the event was applied before, or if `isCurrent` does not hold.
 *
 * @returns the ended sessions, and the events to publish.
 */
export async function applyAppleEvent(deps: EventDeps, userId: string, event: AppleEvent) {
  const { kind } = event;
  const { mark, isFirst } = processOnce(deps, "apple", event.id);
  const auditId = deps.newId();
  const isDone = isAudited(userId, auditId);
  // What follows FROM: the link, if it is the user's.
  const linkRows = sql`social_accounts where ${isLink(event)} and ${socialAccounts.userId} = ${userId}`;
  const changes = changesOf(event);
  const endsSessions = kind === "consent-revoked" || kind === "account-deleted";
  const notice = endsSessions ? "APPLE_REVOKED" : kind === "email-disabled" ? "APPLE_MAIL_STOPPED" : undefined;
  const writes = mergeStatements(
    {
      mark,
      audit: recordAudit(
        deps,
        noClient,
        {
          id: auditId,
          userId,
          action: changes ? "UPDATE" : "DELETE",
          entityType: "social_account",
          entityId: userId,
          newValues: sql`json_object('provider', 'APPLE', 'event', ${kind})`,
          actorId: null,
        },
        sql`${isFirst} and exists (select 1 from ${linkRows} and ${isCurrent(event)})`,
      ),
    },
    changes
      ? {
          changedLink: deps.db
            .update(socialAccounts)
            .set(changes)
            .where(sql`${isLink(event)} and ${isDone}`),
        }
      : {
          former: recordFormerIdentities(deps, sql`identity_hash`, sql`from ${linkRows} and ${isDone}`),
          removedLink: deps.db.delete(socialAccounts).where(sql`${isLink(event)} and ${isDone}`),
        },
    changeUser(deps, userId, isDone, changes ? {} : { socialProfileData: profileDataWithout("APPLE") }),
    notice && {
      notification: recordNotification(
        deps,
        { id: deps.newId(), kind: notice, texts: notices[notice] },
        sql`from users where users.id = ${userId} and ${isDone}`,
      ),
    },
    endsSessions
      ? endSessions(deps, noClient, {
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
