import { z } from "zod";
import { optionalFlag, optionalText, tokenField } from "../../platform/http/fields.ts";
import type { FirstLimit } from "../../platform/http/first-limiter.ts";
import { publicEndpoint, userEndpoint } from "../../sessions/guard.ts";
import { checkIdentifier, identifierField } from "../../users/identifier.ts";
import { canonicalReferralCode } from "../../users/referral-code.ts";
import { usernameField } from "../../users/username.ts";
import { userView, viewUser } from "../../users/views.ts";
import { readVerificationToken } from "../otp/verification-token.ts";
import { getOwnAccount, loginUser, registerUser } from "./account.service.ts";
import { describeSignIn, signedInData } from "./sign-in.views.ts";

const tag = "Account";

/**
 * One bucket per network for tokens that this service did not issue, and one bucket per genuine token. Someone who
 * floods the route with either kind does not block other clients.
 */
const rateLimitFailures: FirstLimit<{ verification_token: string }> = {
  group: "sign-in-refusals",
  subject: (deps, { verification_token }) => readVerificationToken(deps, verification_token),
};

const verificationTokenField = tokenField.min(1);
const registered = { en: "Welcome! Your account is ready.", ne: "स्वागत छ! तपाईंको खाता तयार छ।" };

export const register = publicEndpoint(
  {
    method: "post",
    path: "/auth/register",
    home: ({ body }) => ({ identifier: body.identifier }),
    operationId: "register",
    tag,
    summary: "Create an account",
    description:
      "Send the verification token from `POST /api/auth/otp/verify` and the identifier that it was issued for. A " +
      "failed call does not consume the token. An unknown referral code is ignored.",
    example: { identifier: "9841234567", verification_token: "…", username: "asha.gurung", referral_code: "REFABC123" },
    body: z.object({
      identifier: identifierField,
      verification_token: verificationTokenField,
      username: usernameField,
      referral_code: optionalText(z.string().max(10).meta({ example: "REFABC123" }), canonicalReferralCode),
      start_over: optionalFlag.meta({
        description: "After `number_dormant`: take the phone number off the sleeping account and create a new one.",
      }),
    }),
    check: (deps, { identifier }) => checkIdentifier(deps, identifier),
    data: signedInData,
    message: registered,
    status: 201,
    errors: ["invalid_token", "user_already_exists", "identifier_replaced", "username_taken"],
    idempotent: true,
    rateLimitFailures,
  },
  async (deps, { body, client }) => ({
    data: describeSignIn(await registerUser(deps, client, body), registered[client.locale]),
  }),
);

const welcomeBack = { en: "Welcome back!", ne: "फेरि स्वागत छ!" };

export const login = publicEndpoint(
  {
    method: "post",
    path: "/auth/login",
    home: ({ body }) => ({ identifier: body.identifier }),
    operationId: "login",
    tag,
    summary: "Sign in with a verified identifier",
    description:
      "Send the verification token from `POST /api/auth/otp/verify` and the identifier that it was issued for. A " +
      "failed call does not consume the token.",
    example: { identifier: "9841234567", verification_token: "…" },
    body: z.object({
      identifier: identifierField,
      verification_token: verificationTokenField,
      second_token: optionalText(tokenField).meta({
        description: "After `number_dormant`: a verification token of the account's verified email address.",
      }),
      old_refresh_token: optionalText(tokenField).meta({
        description: "After `number_dormant`: any refresh token of the account, also an expired one.",
      }),
    }),
    check: (deps, { identifier }) => checkIdentifier(deps, identifier),
    data: signedInData,
    message: welcomeBack,
    errors: ["invalid_token", "user_not_found", "identifier_replaced", "number_dormant", "account_inactive"],
    idempotent: true,
    rateLimitFailures,
  },
  async (deps, { body, client }) => ({
    data: describeSignIn(await loginUser(deps, client, body), welcomeBack[client.locale]),
  }),
);

export const getMe = userEndpoint(
  {
    method: "get",
    path: "/auth/me",
    operationId: "getAccount",
    tag,
    summary: "Get my account",
    description: "Returns the signed-in user's account.",
    data: userView,
    message: { en: "Your account.", ne: "तपाईंको खाता।" },
  },
  async (deps, { caller }) => ({ data: viewUser(await getOwnAccount(deps, caller)) }),
);
