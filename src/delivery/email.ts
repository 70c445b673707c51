import { z } from "zod";
import { withDeadline } from "../platform/database.ts";
import type { Deps } from "../platform/deps.ts";
import { OUTBOUND_DEADLINE_MS } from "../platform/outbound.ts";
import type { EmailSettings } from "../platform/provider-settings.ts";
import { type MessageProvider, refused, type SendOutcome, sent, undeliverable, unknown } from "./message-provider.ts";

const coded = z.object({ code: z.string().regex(/^E_[A-Z_]{1,60}$/) });

/** Said before the mail was taken; what is in neither list may have been sent. */
const REFUSALS = new Set([
  "E_VALIDATION_ERROR",
  "E_FIELD_MISSING",
  "E_TOO_MANY_RECIPIENTS",
  "E_SENDER_NOT_VERIFIED",
  "E_SENDER_DOMAIN_NOT_AVAILABLE",
  "E_CONTENT_TOO_LARGE",
  "E_RATE_LIMIT_EXCEEDED",
  "E_DAILY_LIMIT_EXCEEDED",
]);
const RECIPIENT_REFUSALS = new Set(["E_RECIPIENT_SUPPRESSED", "E_RECIPIENT_NOT_ALLOWED"]);

/** Cloudflare Email Service: https://developers.cloudflare.com/email-service/api/send-emails/workers-api/ */
export function emailProvider(
  deps: Pick<Deps, "config">,
  binding: SendEmail,
  { from }: EmailSettings,
): MessageProvider {
  return {
    name: "cloudflare-email",
    reaches: () => true,
    async send({ to, title, text }) {
      const { appName } = deps.config;
      const mail = { from: { email: from, name: appName }, to, subject: title ?? appName, text };
      try {
        await withDeadline(binding.send(mail), OUTBOUND_DEADLINE_MS);
        return sent;
      } catch (error) {
        return readError(error);
      }
    },
  };
}

/** Errors carry a `code`; their message may quote the address. */
function readError(error: unknown): SendOutcome {
  const parsed = coded.safeParse(error);
  if (!parsed.success) return unknown("no code");
  const { code } = parsed.data;
  if (RECIPIENT_REFUSALS.has(code)) return undeliverable(code, code === "E_RECIPIENT_SUPPRESSED");
  return REFUSALS.has(code) || code.startsWith("E_HEADER") ? refused(code) : unknown(code);
}
