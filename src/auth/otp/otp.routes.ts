import { z } from "zod";
import { as } from "../../platform/http/field-errors.ts";
import { optionalText, text } from "../../platform/http/fields.ts";
import type { FirstLimit } from "../../platform/http/first-limiter.ts";
import { rateLimitHeaders } from "../../platform/http/rate-limit.ts";
import { cleanPasted } from "../../platform/http/text.ts";
import { publicEndpoint } from "../../sessions/guard.ts";
import { checkIdentifier, identifierField, readIdentifier } from "../../users/identifier.ts";
import { otpLimits } from "./otp-limits.ts";
import { generateOtp } from "./otp-request.service.ts";
import { verifyOtp } from "./otp-verify.service.ts";

const tag = "One-time codes";
const purpose = z.enum(["REGISTER", "LOGIN"]).meta({ id: "OtpPurpose" });
const purposeField = optionalText(
  z.enum(["REGISTER", "LOGIN", "CHANGE"]).meta({
    id: "RequestedOtpPurpose",
    description: "What the code is for. CHANGE: to replace the account's email address or phone number.",
  }),
);

/**
 * One bucket per network and identifier, so that nobody can lock another person out by requesting or guessing codes.
 */
const rateLimitByNetwork: FirstLimit<{ identifier: string }> = {
  group: "otp",
  subject: (deps, { identifier }) => readIdentifier(deps, identifier)?.value,
};

const codeSentView = z
  .object({
    message: z.string(),
    expires_in: z.number().int().meta({ description: "Seconds for which the code is valid." }),
    resend_in: z.number().int().meta({ description: "Seconds until the next code may be requested." }),
  })
  .meta({ id: "CodeSent" });

const codeSent = {
  en: "If the email or phone number is correct, a code is on its way.",
  ne: "इमेल वा फोन नम्बर सही भए कोड आउँदै छ।",
};

export const requestOtp = publicEndpoint(
  {
    method: "post",
    path: "/auth/otp/request",
    home: ({ body }) => ({ identifier: body.identifier }),
    operationId: "requestCode",
    tag,
    summary: "Send a one-time code",
    description:
      "Sends a code by SMS or email. The response is the same whether or not an account exists. Wait `resend_in` " +
      "seconds before you request another code.",
    example: { identifier: "9841234567", purpose: "LOGIN" },
    body: z.object({ identifier: identifierField, purpose: purposeField }),
    check: (deps, { identifier }) => checkIdentifier(deps, identifier),
    data: codeSentView,
    message: codeSent,
    errors: ["rate_limit_exceeded"],
    idempotent: true,
    limited: true,
    rateLimitByNetwork,
  },
  async (deps, { body, client }) => {
    const { resendInSeconds, limit } = await generateOtp(deps, client, body);
    return {
      data: {
        message: codeSent[client.locale],
        expires_in: otpLimits.ttlMs / 1000,
        resend_in: resendInSeconds,
      },
      headers: rateLimitHeaders("otp-request", otpLimits.send.perNetwork, limit),
    };
  },
);

const codeVerifiedView = z
  .object({
    verification_token: z.string(),
    purpose: purpose.meta({
      description: "The next step: REGISTER or LOGIN. Ignore it for a code that was requested for CHANGE.",
    }),
    expires_in: z.number().int().meta({ description: "Seconds for which the verification token is valid." }),
    message: z.string(),
  })
  .meta({ id: "CodeVerified" });

const codeCorrect = { en: "The code is correct.", ne: "कोड सही छ।" };

const otpField = z.preprocess(
  // Sent as a number, a code has lost its leading zeros.
  (given) => (Number.isSafeInteger(given) && Number(given) >= 0 ? String(given).padStart(6, "0") : given),
  text(
    z
      .string()
      .regex(/^\d{6}$/, as("not_otp"))
      .meta({ example: "123456" }),
    // People paste or type codes with spaces or dashes, in digits of any script or in full-width digits.
    (given) => cleanPasted(given).replace(/[\s-]/g, ""),
  ),
);

export const verifyCode = publicEndpoint(
  {
    method: "post",
    path: "/auth/otp/verify",
    home: ({ body }) => ({ identifier: body.identifier }),
    operationId: "verifyCode",
    tag,
    summary: "Verify a one-time code",
    description:
      "Returns a verification token for `POST /api/auth/register` or `POST /api/auth/login`. `purpose` says " +
      "which of the two to call: LOGIN if an account exists, otherwise REGISTER.",
    example: { identifier: "9841234567", otp: "123456" },
    body: z.object({ identifier: identifierField, otp: otpField, purpose: purposeField }),
    check: (deps, { identifier }) => checkIdentifier(deps, identifier),
    data: codeVerifiedView,
    message: codeCorrect,
    errors: ["invalid_otp", "rate_limit_exceeded"],
    idempotent: true,
    limited: true,
    rateLimitByNetwork,
  },
  async (deps, { body, client }) => {
    const { verificationToken, purpose: nextStep, limit } = await verifyOtp(deps, client, body);
    return {
      data: {
        verification_token: verificationToken,
        purpose: nextStep,
        expires_in: otpLimits.verificationTokenTtlMs / 1000,
        message: codeCorrect[client.locale],
      },
      headers: rateLimitHeaders("otp-verify", otpLimits.lock.perNetwork, limit),
    };
  },
);
