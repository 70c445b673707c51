import { z } from "zod";
import { withDeadline } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import { OUTBOUND_DEADLINE_MS } from "../platform/http/outbound.ts";
import { answered, type MessageProvider, type SendOutcome, sent, unknown, type Verdict } from "./message-provider.ts";
import type { EmailSettings } from "./provider-settings.ts";

const errorWithCode = z.object({ code: z.string().regex(/^E_[A-Z_]{1,60}$/) });

/**
 * Every error that Cloudflare documents, by its `code`:
 * https://developers.cloudflare.com/email-service/api/send-emails/workers-api/#error-codes
 */
export const emailVerdicts: Readonly<Record<string, Verdict>> = {
  /** The address passed our validation but not Cloudflare's. */
  E_VALIDATION_ERROR: "malformed",
  E_FIELD_MISSING: "malformed",
  E_TOO_MANY_RECIPIENTS: "malformed",
  E_TOO_MANY_ATTACHMENTS: "malformed",
  E_CONTENT_TOO_LARGE: "malformed",
  E_HEADER_NOT_ALLOWED: "malformed",
  E_HEADER_USE_API_FIELD: "malformed",
  E_HEADER_VALUE_INVALID: "malformed",
  E_HEADER_VALUE_TOO_LONG: "malformed",
  E_HEADER_NAME_INVALID: "malformed",
  E_HEADERS_TOO_LARGE: "malformed",
  E_HEADERS_TOO_MANY: "malformed",
  E_RECIPIENT_NOT_ALLOWED: "unreachable",
  E_RECIPIENT_SUPPRESSED: "gone",
  /** The recipient's mail server rejected the message or did not answer. */
  E_DELIVERY_FAILED: "doubtful",
  E_SENDER_NOT_VERIFIED: "ours",
  E_SENDER_DOMAIN_NOT_AVAILABLE: "ours",
  E_RATE_LIMIT_EXCEEDED: "ours",
  E_DAILY_LIMIT_EXCEEDED: "ours",
  E_INTERNAL_SERVER_ERROR: "unknown",
};

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

/** Reads only the error's `code`, because its message may quote the address. */
function readError(error: unknown): SendOutcome {
  const parsed = errorWithCode.safeParse(error);
  if (!parsed.success) return unknown("no code");
  const { code } = parsed.data;
  return answered(emailVerdicts[code] ?? "unknown", code);
}
