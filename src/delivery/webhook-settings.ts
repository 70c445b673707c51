import { z } from "zod";
import { areDistinct, json, optional, url } from "../platform/config/settings.ts";
import { webhookSecret } from "./provider-settings.ts";

declare module "../platform/config/config.ts" {
  interface Config {
    /** Webhook endpoints that receive changes of users, also in development. */
    webhooks: WebhookEndpoint[];
  }
}

const MAX_ENDPOINTS = 5;
/** The new secret, the old one, and one in reserve. */
const MAX_SECRETS = 3;

const LOOPBACK = /^(?:localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

const endpoint = z.object({
  url: url(/^https?$/).transform((text) => new URL(text).href),
  secrets: z
    .array(webhookSecret)
    .min(1)
    .max(MAX_SECRETS)
    .refine((secrets) => areDistinct(secrets, (each) => each), "every secret must be unique"),
});

const NOT_ENDPOINTS = "must be a JSON array of {url, secrets}";

/** Endpoints that receive changes of users; undefined if there are none. */
export const webhookSettings = {
  WEBHOOKS: optional(
    json(
      z
        .array(endpoint, NOT_ENDPOINTS)
        .max(MAX_ENDPOINTS)
        .refine((endpoints) => areDistinct(endpoints, (each) => each.url), "every url must be unique"),
      NOT_ENDPOINTS,
    ),
  ),
};

export interface WebhookEndpoint {
  /** Normalised (WHATWG URL). It may contain a secret of the receiver, so it is never logged. */
  url: string;
  /** Standard Webhooks secrets. Every message is signed with each, so that the receiver may verify with any of them. */
  secrets: string[];
}

/**
 * Describes the first URL that is not https; undefined if there is none. In development, http to loopback is allowed
 * too.
 */
export function findInsecureWebhook(endpoints: WebhookEndpoint[], isDevelopment: boolean): string | undefined {
  const isAllowed = ({ protocol, hostname }: URL) =>
    protocol === "https:" || (isDevelopment && LOOPBACK.test(hostname));
  const at = endpoints.findIndex((each) => !isAllowed(new URL(each.url)));
  return at < 0 ? undefined : `WEBHOOKS.${at}.url: must be https`;
}
