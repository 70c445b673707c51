import { z } from "zod";
import { tokenField } from "../../platform/http/fields.ts";
import { publicEndpoint } from "../../sessions/guard.ts";
import { checkIdentifier, identifierField } from "../../users/identifier.ts";
import { readVerificationToken } from "../otp/verification-token.ts";
import { disputeIdentityChange } from "./identity-undo.service.ts";

const messages = {
  RESTORED: {
    en: "Your account is as it was before. Sign in again.",
    ne: "तपाईंको खाता पहिलेजस्तै भयो। फेरि साइन इन गर्नुहोस्।",
  },
  HELD: {
    en: "We have locked the account. Our support team will contact you.",
    ne: "खाता रोक्का गरियो। सहायता टोलीले सम्पर्क गर्नेछ।",
  },
};

export const postDispute = publicEndpoint(
  {
    method: "post",
    path: "/auth/identity/dispute",
    home: ({ body }) => ({ identifier: body.identifier }),
    operationId: "disputeIdentityChange",
    tag: "Identity",
    summary: "Undo a change of my email address or phone number",
    description:
      "For 7 days, the owner of an identifier that was replaced in or removed from an account can verify it again and " +
      "undo the change. If that identifier itself proved the change, all changes of these days are undone, with the " +
      "passkeys and links made since (`RESTORED`). Otherwise the account is locked until the support team decides " +
      "(`HELD`). All sessions end. The same call within 180 seconds gives the same answer.",
    example: { identifier: "9841234567", verification_token: "…" },
    body: z.object({ identifier: identifierField, verification_token: tokenField.min(1) }),
    check: (deps, { identifier }) => checkIdentifier(deps, identifier),
    data: z.object({ outcome: z.enum(["RESTORED", "HELD"]), message: z.string() }).meta({ id: "Dispute" }),
    message: messages.RESTORED,
    errors: ["invalid_token", "account_inactive", "not_found"],
    rateLimitFailures: {
      group: "sign-in-refusals",
      subject: (deps, { verification_token }) => readVerificationToken(deps, verification_token),
    },
  },
  async (deps, { body, client }) => {
    const outcome = await disputeIdentityChange(deps, client, body);
    const message = messages[outcome];
    return { data: { outcome, message: message[client.locale] }, message };
  },
);
