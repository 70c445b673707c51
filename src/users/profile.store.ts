import { and, eq, sql } from "drizzle-orm";
import { profiles, users } from "../db/user-schema.ts";
import { isAudited, recordAudit, selectAudit } from "../platform/data/audit.ts";
import { commit } from "../platform/data/commit.ts";
import { instantOf, mergeStatements, runBatch } from "../platform/data/database.ts";
import { eventsOf, recordEvent } from "../platform/data/outbox.ts";
import type { Deps } from "../platform/deps.ts";
import type { Client } from "../platform/http/client.ts";
import { isSignedIn } from "../sessions/session.store.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { heldByReminder, isReminderFree, REMINDER_DUE } from "./profile-reminder.store.ts";
import { changeUser } from "./user-change.store.ts";

/** The row of `profiles` lacks the full name, the date of birth or the address. */
export const isIncomplete = sql.raw("(full_name is null or date_of_birth is null or address is null)");

/** A change of a profile; null clears a field. */
export type ProfileChange = Partial<
  Record<"full_name" | "date_of_birth" | "address" | "avatar_url", string | null | undefined>
>;

type ProfileDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

export type ProfileRow = typeof profiles.$inferSelect;

function selectProfile(deps: ProfileDeps, caller: AccessClaims) {
  return deps.db
    .select({ profile: profiles })
    .from(users)
    .leftJoin(profiles, eq(profiles.userId, users.id))
    .where(and(eq(users.id, caller.userId), isSignedIn(deps, caller)));
}

/**
 * The profile that `selectProfile` found; undefined if the session has ended.
 *
 * @throws Error if the user has none, although it is inserted together with the user: the app must not sign out then.
 */
function profileOf([found]: Awaited<ReturnType<typeof selectProfile>>): ProfileRow | undefined {
  if (found && !found.profile) throw new Error("a user has no profile");
  return found?.profile ?? undefined;
}

/** The caller's profile; undefined if the session has ended. */
export async function findProfile(deps: ProfileDeps, caller: AccessClaims): Promise<ProfileRow | undefined> {
  const { found } = await runBatch(deps, { found: selectProfile(deps, caller) });
  return profileOf(found);
}

/**
 * Changes the given fields of the caller's profile, with audit row and event, and requests a reminder if the profile is
 * still incomplete and none is pending. Does nothing if no value differs.
 *
 * @returns the current profile, undefined if the session has ended; and the events to publish.
 */
export async function changeProfile(deps: ProfileDeps, client: Client, caller: AccessClaims, change: ProfileChange) {
  const now = deps.now();
  const given = JSON.stringify(change);
  const current = sql.raw(`case g.key when 'full_name' then p.full_name when 'date_of_birth' then p.date_of_birth
    when 'address' then p.address when 'avatar_url' then p.avatar_url end`);
  const differing = sql`from profiles p, json_each(${given}) g where p.user_id = ${caller.userId} and ${current} is not g.value`;
  const auditId = deps.newId();
  const isChanged = isAudited(caller.userId, auditId);
  const isReminderDue = sql`${isIncomplete} and ${isReminderFree(now)}`;
  const writes = mergeStatements(
    {
      audit: recordAudit(
        deps,
        client,
        {
          id: auditId,
          userId: caller.userId,
          action: "UPDATE",
          entityType: "profile",
          entityId: sql`(select id from profiles where user_id = ${caller.userId})`,
          oldValues: sql`(select json_group_object(g.key, ${current}) ${differing})`,
          newValues: sql`(select json_group_object(g.key, g.value) ${differing})`,
          actorId: caller.userId,
          sessionId: caller.sessionId,
        },
        sql`exists (select 1 ${differing}) and ${isSignedIn(deps, caller)}`,
      ),
      changed: deps.db
        .update(profiles)
        .set({
          ...(change.full_name !== undefined ? { fullName: change.full_name } : {}),
          ...(change.date_of_birth !== undefined ? { dateOfBirth: change.date_of_birth } : {}),
          ...(change.address !== undefined ? { address: change.address } : {}),
          ...(change.avatar_url !== undefined ? { avatarUrl: change.avatar_url } : {}),
          updatedAt: instantOf(now),
        })
        .where(and(eq(profiles.userId, caller.userId), isChanged)),
    },
    changeUser(deps, caller.userId, isChanged),
    {
      reminderEvent: recordEvent(
        deps,
        {
          type: REMINDER_DUE,
          userId: caller.userId,
          payload: JSON.stringify({ user_id: caller.userId }),
          queue: "tasks",
        },
        sql`${isChanged} and exists (select 1 from profiles where user_id = ${caller.userId} and ${isReminderDue})`,
      ),
      reminderHeld: deps.db
        .update(profiles)
        .set({ reminderHeldUntil: heldByReminder(now) })
        .where(sql`${profiles.userId} = ${caller.userId} and ${isReminderDue} and ${isChanged}`),
    },
  );
  const reads = {
    profile: selectProfile(deps, caller),
    isChanged: selectAudit(deps, caller.userId, auditId),
  };
  const found = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ isChanged }) => isChanged.length > 0,
  });
  return { profile: profileOf(found.profile), events: eventsOf(found.changeEvent, found.reminderEvent) };
}
