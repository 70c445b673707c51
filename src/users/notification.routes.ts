import { z } from "zod";
import { cursorField, pageSizeField } from "../platform/http/fields.ts";
import { userEndpoint } from "../sessions/guard.ts";
import { listOwnNotifications, readNotification } from "./notification.service.ts";
import { notificationView, viewNotification } from "./views.ts";

const tag = "Notifications";

export const listMyNotifications = userEndpoint(
  {
    method: "get",
    path: "/users/notifications",
    operationId: "listNotifications",
    tag,
    summary: "List my notifications",
    description: "Lists notifications, newest first. Follow `next_cursor` until it is null.",
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

export const readMyNotification = userEndpoint(
  {
    method: "post",
    path: "/users/notifications/{id}/read",
    operationId: "markNotificationRead",
    tag,
    summary: "Mark a notification as read",
    description: "Repeating the call changes nothing.",
    params: z.object({ id: z.string().max(64) }),
    data: notificationView,
    message: { en: "Notification marked as read.", ne: "सूचना पढिएको चिन्ह लगाइयो।" },
    errors: ["not_found"],
  },
  async (deps, { caller, params }) => ({ data: viewNotification(await readNotification(deps, caller, params.id)) }),
);
