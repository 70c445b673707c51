import { z } from "zod";
import { publicEndpoint } from "../../sessions/guard.ts";
import { receiveAppleNotification } from "./apple-notification.service.ts";

const received = { en: "Received.", ne: "प्राप्त भयो।" };

export const appleNotifications = publicEndpoint(
  {
    method: "post",
    path: "/auth/apple/notifications",
    home: ({ body }) => ({ issued: body.payload }),
    operationId: "receiveAppleNotification",
    tag: "Google and Apple",
    summary: "Receive a notification from Apple",
    description:
      "For Apple's servers: register the address as the server-to-server notification endpoint of the primary App ID. A " +
      "notification that Apple signed gets 200, whether or not it changes anything.",
    example: { payload: "eyJ…" },
    body: z.object({ payload: z.string().min(1) }),
    data: z.object({ message: z.string() }),
    message: received,
    errors: ["social_auth_failed", "not_found"],
    rateLimitByNetwork: { group: "social-token" },
  },
  async (deps, { body, client }) => {
    await receiveAppleNotification(deps, body.payload);
    return { data: { message: received[client.locale] } };
  },
);
