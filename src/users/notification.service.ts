import { z } from "zod";
import type { Deps } from "../platform/deps.ts";
import { readCursor, writeCursor } from "../platform/http/cursor.ts";
import { AppError } from "../platform/http/errors.ts";
import { sessionEnded } from "../sessions/guard.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import {
  findNotification,
  listNotifications,
  markAllNotificationsRead,
  markNotificationRead,
  type NotificationRow,
} from "./notification.store.ts";

/** A page of notifications. */
export interface NotificationPage {
  results: NotificationRow[];
  unreadCount: number;
  nextCursor: string | null;
}

const position = z.tuple([z.string()]);

/**
 * A page of the caller's notifications, newest first.
 *
 * @throws AppError `token_not_valid`; `validation_error` for a cursor of another list.
 */
export async function listOwnNotifications(
  deps: Deps,
  caller: AccessClaims,
  page: { page_size: number; cursor?: string | undefined },
): Promise<NotificationPage> {
  const query = ["notifications", caller.userId];
  const after = await readCursor(deps, query, page.cursor, position);
  const list = await listNotifications(deps, caller, { size: page.page_size, after: after?.[0] });
  if (!list) throw sessionEnded();
  const last = list.hasMore ? list.found.at(-1) : undefined;
  const nextCursor = last ? await writeCursor(deps, query, [last.id]) : null;
  return { results: list.found, unreadCount: list.unread, nextCursor };
}

/**
 * Marks one of the caller's notifications as read.
 *
 * @throws AppError `token_not_valid`; `not_found` if the caller has no such notification.
 */
export async function markRead(deps: Deps, caller: AccessClaims, id: string): Promise<NotificationRow> {
  const { notification, user } = await markNotificationRead(deps, caller, id);
  if (!user) throw sessionEnded();
  return notification ?? unknownNotification();
}

/**
 * One of the caller's notifications.
 *
 * @throws AppError `token_not_valid`; `not_found` if the caller has no such notification.
 */
export async function getNotification(deps: Deps, caller: AccessClaims, id: string): Promise<NotificationRow> {
  const { notification, user } = await findNotification(deps, caller, id);
  if (!user) throw sessionEnded();
  return notification ?? unknownNotification();
}

function unknownNotification(): never {
  throw new AppError("not_found", { message: { en: "Notification not found.", ne: "सूचना भेटिएन।" } });
}

/** Marks all of the caller's notifications as read. @throws AppError `token_not_valid`. */
export async function markAllRead(deps: Deps, caller: AccessClaims): Promise<void> {
  if (!(await markAllNotificationsRead(deps, caller))) throw sessionEnded();
}
