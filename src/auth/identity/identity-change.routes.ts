import { z } from "zod";
import type { ErrorCode } from "../../platform/http/errors.ts";
import { optionalFlag, text, tokenField } from "../../platform/http/fields.ts";
import { foldSpaces } from "../../platform/http/text.ts";
import { userEndpoint } from "../../sessions/guard.ts";
import { MAX_EMAIL_LENGTH } from "../../users/email-address.ts";
import { checkIdentifier } from "../../users/identifier.ts";
import { identityView, viewIdentity } from "./identity.views.ts";
import { removeOwnIdentifier, setOwnIdentifier } from "./identity-change.service.ts";

const tag = "Identity";
const refusals: ErrorCode[] = ["reauthentication_required", "passkey_required", "rate_limit_exceeded"];
const setRefusals: ErrorCode[] = [
  ...refusals,
  "invalid_token",
  "user_already_exists",
  "identifier_replaced",
  "conflict",
];
const EFFECTS =
  "Needs a recent proof. Replacing or removing ends all other sessions. The old identifier, if verified, and the " +
  "account's other verified one get a message; the old one's owner can dispute the change for 7 days.";
const TOKEN =
  "Send the verification token of the new one; request its code with the purpose `CHANGE`. A failed call does not use " +
  "it up; setting the same one again changes nothing.";

const identifierText = text(z.string().min(1).max(MAX_EMAIL_LENGTH), foldSpaces);
const saved = { en: "Your sign-in details were changed.", ne: "तपाईंका साइन इन विवरण फेरिए।" };

export const putMyEmail = userEndpoint(
  {
    method: "put",
    path: "/auth/identity/email",
    operationId: "setEmail",
    tag,
    summary: "Add or replace my email address",
    description: `${TOKEN} ${EFFECTS}`,
    example: { email: "asha@example.com", verification_token: "…" },
    body: z.object({ email: identifierText, verification_token: tokenField.min(1) }),
    check: (deps, { email }) => checkIdentifier(deps, email, { field: "email", kind: "email" }),
    data: identityView,
    message: saved,
    errors: setRefusals,
  },
  async (deps, { body, caller, client }) => {
    const { email: given, verification_token: verificationToken } = body;
    const wanted = { kind: "email", field: "email", given, verificationToken } as const;
    return { data: viewIdentity(deps, await setOwnIdentifier(deps, client, caller, wanted)) };
  },
);

export const putMyPhone = userEndpoint(
  {
    method: "put",
    path: "/auth/identity/phone",
    operationId: "setPhoneNumber",
    tag,
    summary: "Add or replace my phone number",
    description: "Works as for the email address.",
    example: { phone_number: "9841234567", verification_token: "…" },
    body: z.object({
      phone_number: identifierText,
      verification_token: tokenField.min(1),
      start_over: optionalFlag.meta({
        description: "After `number_dormant`: take the number off the sleeping account that has it.",
      }),
    }),
    check: (deps, { phone_number }) => checkIdentifier(deps, phone_number, { field: "phone_number", kind: "phone" }),
    data: identityView,
    message: saved,
    errors: [...setRefusals, "number_dormant"],
  },
  async (deps, { body, caller, client }) => {
    const { phone_number: given, verification_token: verificationToken } = body;
    const startOver = body.start_over === true;
    const wanted = { kind: "phone", field: "phone_number", given, verificationToken, startOver } as const;
    return { data: viewIdentity(deps, await setOwnIdentifier(deps, client, caller, wanted)) };
  },
);

const removed = { en: "Removed from your account.", ne: "तपाईंको खाताबाट हटाइयो।" };

function removal(kind: "email" | "phone", operationId: string, name: string, description: string) {
  return userEndpoint(
    {
      method: "delete",
      path: `/auth/identity/${kind}`,
      operationId,
      tag,
      summary: `Remove my ${name}`,
      description,
      data: identityView,
      message: removed,
      errors: [...refusals, "last_sign_in_method"],
    },
    async (deps, { caller, client }) => ({
      data: viewIdentity(deps, await removeOwnIdentifier(deps, client, caller, kind)),
    }),
  );
}

export const deleteMyEmail = removal(
  "email",
  "removeEmail",
  "email address",
  `Refused for the last verified way to sign in. ${EFFECTS}`,
);
export const deleteMyPhone = removal("phone", "removePhoneNumber", "phone number", "Works as for the email address.");
