import { z } from "zod";
import { parseJson } from "../json.ts";
import { optional, url, webhookSecret } from "./provider-settings.ts";

const MAX_ENDPOINTS = 5;
/** The new one, the old one, and one in reserve. */
const MAX_SECRETS = 3;

const LOOPBACK = /^(?:localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

const isEachDifferent = (entries: string[]) => new Set(entries).size === entries.length;

const endpoint = z.object({
  url: url(/^https?$/).transform((text) => new URL(text).href),
  secrets: z.array(webhookSecret).min(1).max(MAX_SECRETS).refine(isEachDifferent, "every secret must be different"),
});

/** Where changes of users are told; absent where nobody is. */
export const webhookSettings = {
  WEBHOOKS: optional(
    z
      .string()
      .transform((text) => parseJson(text))
      .pipe(
        z
          .array(endpoint, "must be a JSON array of {url, secrets}")
          .max(MAX_ENDPOINTS)
          .refine((endpoints) => isEachDifferent(endpoints.map((each) => each.url)), "every url must be different"),
      ),
  ),
};

export interface WebhookEndpoint {
  /** Normalised (WHATWG). It may hold a secret of its receiver's: it is never logged. */
  url: string;
  /** Standard Webhooks; each signs, so that the receiver may hold any of them. */
  secrets: string[];
}

/** What is wrong with the addresses, by the setting's name: in production https, in development http to this machine too. */
export function findInsecureWebhook(endpoints: WebhookEndpoint[], isDevelopment: boolean): string | undefined {
  const isAllowed = ({ protocol, hostname }: URL) =>
    protocol === "https:" || (isDevelopment && LOOPBACK.test(hostname));
  const at = endpoints.findIndex((each) => !isAllowed(new URL(each.url)));
  return at < 0 ? undefined : `WEBHOOKS.${at}.url: must be https`;
}
