import { z } from "zod";
import { parseJson } from "../json.ts";
import { optional, url, webhookSecret } from "./provider-settings.ts";

const MAX_ENDPOINTS = 5;
/** The new secret, the old one, and one in reserve. */
const MAX_SECRETS = 3;

const LOOPBACK = /^(?:localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

const areUnique = (entries: string[]) => new Set(entries).size === entries.length;

const endpoint = z.object({
  url: url(/^https?$/).transform((text) => new URL(text).href),
  secrets: z.array(webhookSecret).min(1).max(MAX_SECRETS).refine(areUnique, "every secret must be unique"),
});

/** Endpoints that receive changes of users; undefined if there are none. */
export const webhookSettings = {
  WEBHOOKS: optional(
    z
      .string()
      .transform((text) => parseJson(text))
      .pipe(
        z
          .array(endpoint, "must be a JSON array of {url, secrets}")
          .max(MAX_ENDPOINTS)
          .refine((endpoints) => areUnique(endpoints.map((each) => each.url)), "every url must be unique"),
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
