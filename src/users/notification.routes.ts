import { z } from "zod";
import { anyIdField, cursorField, pageSizeField } from "../platform/http/fields.ts";
import { userEndpoint } from "../sessions/guard.ts";
import { getNotification, listOwnNotifications, markAllRead, markRead } from "./notification.service.ts";
import { notificationView, viewNotification } from "./views.ts";

const tag = "Notifications";
const params = z.object({ id: anyIdField.meta({ description: "Id of the notification." }) });

export const listMyNotifications = userEndpoint(
  {
    method: "get",
    path: "/users/notifications",
    operationId: "listNotifications",
    tag,
    summary: "List my notifications",
    description: "Lists notifications, newest first.",
    query: z.object({ page_size: pageSizeField, cursor: cursorField }),
    data: z.object({
      results: z.array(notificationView),
      unread_count: z.number().int(),
      next_cursor: z.string().nullable(),
    }),
    message: { en: "Your notifications.", ne: "तपाईंका सूचनाहरू।" },
  },
  async (deps, { caller, query }) => {
    const { results, unreadCount, nextCursor } = await listOwnNotifications(deps, caller, query);
    return { data: { results: results.map(viewNotification), unread_count: unreadCount, next_cursor: nextCursor } };
  },
);

export const getMyNotification = userEndpoint(
  {
    method: "get",
    path: "/users/notifications/{id}",
    operationId: "getNotification",
    tag,
    summary: "Get a notification",
    description: "Opens the notification that a push names by `notification_id`. It does not mark it as read.",
    params,
    data: notificationView,
    message: { en: "Your notification.", ne: "तपाईंको सूचना।" },
    errors: ["not_found"],
  },
  async (deps, { caller, params }) => ({ data: viewNotification(await getNotification(deps, caller, params.id)) }),
);

const allRead = { en: "All notifications marked as read.", ne: "सबै सूचना पढिएको चिन्ह लगाइयो।" };

export const readMyNotifications = userEndpoint(
  {
    method: "post",
    path: "/users/notifications/read",
    operationId: "markAllNotificationsRead",
    tag,
    summary: "Mark all notifications as read",
    description: "Marks every notification that exists at this moment. Repeating the call changes nothing.",
    data: z.object({ message: z.string() }),
    message: allRead,
  },
  async (deps, { caller, client }) => {
    await markAllRead(deps, caller);
    return { data: { message: allRead[client.locale] } };
  },
);

export const readMyNotification = userEndpoint(
  {
    method: "post",
    path: "/users/notifications/{id}/read",
    operationId: "markNotificationRead",
    tag,
    summary: "Mark a notification as read",
    description: "Repeating the call changes nothing.",
    params,
    data: notificationView,
    message: { en: "Notification marked as read.", ne: "सूचना पढिएको चिन्ह लगाइयो।" },
    errors: ["not_found"],
  },
  async (deps, { caller, params }) => ({ data: viewNotification(await markRead(deps, caller, params.id)) }),
);
