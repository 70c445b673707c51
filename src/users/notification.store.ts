import { and, desc, eq, gt, isNull, lt, type SQL, sql } from "drizzle-orm";
import { type NotificationType, notifications, users } from "../db/user-schema.ts";
import { insertFrom, instantOf, runBatch } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import type { Locale } from "../platform/http/locale.ts";
import { isSignedIn } from "../sessions/session.store.ts";
import type { AccessClaims } from "../sessions/tokens.ts";

/** The text of a notification in each language; one of them is stored. */
export type Texts = Readonly<Record<Locale, { title: string; message: string }>>;

/** A notification to insert. */
export interface NewNotification {
  id: string | SQL;
  kind: NotificationType;
  texts: Texts;
  /** JSON text with ids for the app, or SQL that yields it; no personal data. */
  data?: string | SQL;
}

/** Inserts a notification for each user of `from` (`from users where …`), in the user's language. */
export function recordNotification(deps: Pick<Deps, "db" | "now">, notification: NewNotification, from: SQL) {
  const { id, kind, texts, data } = notification;
  const inTheirs = (part: "title" | "message") =>
    sql`case users.locale when 'ne' then ${texts.ne[part]} else ${texts.en[part]} end`;
  return insertFrom(
    deps,
    notifications,
    {
      id,
      userId: sql`users.id`,
      notificationType: kind,
      title: inTheirs("title"),
      message: inTheirs("message"),
      // As SQL, because the column would encode the JSON again.
      data: data === undefined ? null : sql`${data}`,
      createdAt: instantOf(deps.now()),
    },
    from,
  );
}

const shown = {
  id: notifications.id,
  title: notifications.title,
  message: notifications.message,
  notificationType: notifications.notificationType,
  data: notifications.data,
  readAt: notifications.readAt,
  createdAt: notifications.createdAt,
};

type ListDeps = Pick<Deps, "db" | "now" | "log">;

/** What the user's row says about the notifications. */
const state = { unread: users.unreadNotifications, readThrough: users.notificationsReadThrough };

type State = { readThrough: string | null };

const withReadState = <T extends { id: string; readAt: number | null }>(
  { readAt, ...row }: T,
  { readThrough }: State,
) => ({
  ...row,
  isRead: readAt !== null || (readThrough !== null && row.id <= readThrough),
});

/**
 * The caller's notifications, newest first, after the id `after`, and the number of unread ones.
 *
 * @returns undefined if the caller's session has ended.
 */
export async function listNotifications(
  deps: ListDeps,
  caller: AccessClaims,
  page: { size: number; after: string | undefined },
) {
  const { found, user } = await runBatch(deps, {
    found: deps.db
      .select(shown)
      .from(notifications)
      .where(
        and(
          // Compared with a CASE value, so that a session that has ended reads no rows.
          eq(notifications.userId, sql`(select case when ${isSignedIn(deps, caller)} then ${caller.userId} end)`),
          page.after === undefined ? undefined : lt(notifications.id, page.after),
        ),
      )
      .orderBy(desc(notifications.id))
      // One extra row shows whether there is a next page.
      .limit(page.size + 1),
    user: deps.db
      .select(state)
      .from(users)
      .where(and(eq(users.id, caller.userId), isSignedIn(deps, caller))),
  });
  const [own] = user;
  if (!own) return undefined;
  const rows = found.slice(0, page.size).map((row) => withReadState(row, own));
  return { found: rows, hasMore: found.length > page.size, unread: own.unread };
}

/** One of the caller's notifications. `user` is undefined if the session has ended. */
export async function findNotification(deps: ListDeps, caller: AccessClaims, id: string) {
  const { found, user } = await runBatch(deps, {
    found: deps.db
      .select(shown)
      .from(notifications)
      .where(and(eq(notifications.id, id), eq(notifications.userId, caller.userId), isSignedIn(deps, caller))),
    user: deps.db
      .select(state)
      .from(users)
      .where(and(eq(users.id, caller.userId), isSignedIn(deps, caller))),
  });
  const [[row], [own]] = [found, user];
  return { notification: row && own ? withReadState(row, own) : undefined, user: own };
}

/**
 * Marks all of the caller's notifications as read at constant cost: the user's row keeps the id of the newest one.
 *
 * @returns whether the session is live.
 */
export async function markAllNotificationsRead(deps: ListDeps, caller: AccessClaims): Promise<boolean> {
  const isOwn = and(eq(users.id, caller.userId), isSignedIn(deps, caller));
  const { user } = await runBatch(deps, {
    marked: deps.db
      .update(users)
      .set({
        unreadNotifications: 0,
        notificationsReadThrough: sql`(select max(${notifications.id}) from ${notifications} where ${notifications.userId} = ${caller.userId})`,
      })
      .where(and(isOwn, gt(users.unreadNotifications, 0))),
    user: deps.db.select({ id: users.id }).from(users).where(isOwn),
  });
  return user.length > 0;
}

/**
 * Marks one of the caller's notifications as read; repeating it changes nothing. `user` is undefined if the session has
 * ended.
 */
export async function markNotificationRead(deps: ListDeps, caller: AccessClaims, id: string) {
  const isOwn = and(eq(notifications.id, id), eq(notifications.userId, caller.userId));
  const { found, user } = await runBatch(deps, {
    marked: deps.db
      .update(notifications)
      .set({ readAt: instantOf(deps.now()) })
      .where(and(isOwn, isNull(notifications.readAt), isSignedIn(deps, caller))),
    found: deps.db
      .select(shown)
      .from(notifications)
      .where(and(isOwn, isSignedIn(deps, caller))),
    user: deps.db
      .select({ id: users.id })
      .from(users)
      .where(and(eq(users.id, caller.userId), isSignedIn(deps, caller))),
  });
  const [row] = found;
  return { notification: row && withReadState(row, { readThrough: null }), user: user[0] };
}

export type NotificationRow = NonNullable<Awaited<ReturnType<typeof listNotifications>>>["found"][number];
