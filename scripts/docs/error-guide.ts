import type { ErrorCode } from "../../src/platform/http/errors.ts";

/** When each error occurs, and what an app does then. */
export const errorGuide: Readonly<Record<ErrorCode, { when: string; action: string }>> = {
  validation_error: {
    when: "A field is missing or wrong, or the body could not be read.",
    action:
      "Show the messages of `details` beside the fields, or your own by the codes of `fields`; without them, show `message`.",
  },
  invalid_otp: {
    when: "The code is wrong, used up or older than 5 minutes.",
    action: "Let the user type it again, or request a new one.",
  },
  invalid_token: {
    when: "The verification token is unknown, used, expired, or was issued for another identifier.",
    action: "Start again with a new code.",
  },
  social_auth_failed: {
    when: "The provider's token, code or state was not accepted.",
    action: "Let the user start the sign-in again.",
  },
  id_token_stale: {
    when: "The ID token was used before or is older than 10 minutes.",
    action: "Ask the provider's SDK for a new one.",
  },
  access_denied: { when: "The user cancelled at the provider.", action: "Show the sign-in again, without an error." },
  passkey_failed: {
    when: "The passkey's answer is not valid, is too old or was used.",
    action: "Get new options and ask for the passkey again; offer a code.",
  },
  passkey_unknown: {
    when: "No account, or not this one, has the passkey.",
    action: "Offer a code. Tell the device by `signalUnknownCredential()`.",
  },
  refresh_token_required: { when: "The body has no refresh token.", action: "Send `refresh_token`." },
  authentication_required: {
    when: "The request has no access token.",
    action: "Send `Authorization: Bearer` with the access token, or let the user sign in.",
  },
  token_not_valid: {
    when: "The access token is invalid or has expired, or its session has ended.",
    action: "Refresh once and repeat the call once. Only if the refresh itself is 401, the user is signed out.",
  },
  permission_denied: {
    when: "The user does not have the role or may not do this.",
    action: "Do not offer the action.",
  },
  reauthentication_required: {
    when: "The last sign-in or proof is more than 10 minutes ago.",
    action: "Verify a new code and send its `verification_token` to `POST /api/auth/proof`, then repeat the call.",
  },
  passkey_required: {
    when: "The change needs a passkey of this member of staff, used within 10 minutes.",
    action: "Ask for the passkey and send its assertion to `POST /api/auth/proof`.",
  },
  https_required: { when: "The request came by plain http.", action: "Use https." },
  account_inactive: {
    when: "Staff have deactivated or closed the account.",
    action: "Tell the user to contact support.",
  },
  not_found: { when: "There is nothing with this id or at this address.", action: "Treat it as gone." },
  user_not_found: {
    when: "No account has this identifier.",
    action: "Call register with the same `verification_token`.",
  },
  method_not_allowed: { when: "The path does not have this method.", action: "Use one of `Allow`." },
  user_already_exists: {
    when: "An account has this identifier already.",
    action: "Call login with the same `verification_token`.",
  },
  identifier_replaced: {
    when: "Its former account may still undo the change that took it away (7 days).",
    action: "Offer another identifier, and `POST /api/auth/identity/dispute` to whoever lost it.",
  },
  number_dormant: {
    when: "The number's account has slept for long and holds something; the number may have a new owner.",
    action:
      "Repeat login with `second_token` or `old_refresh_token`, or offer to start over: `start_over` at register.",
  },
  username_taken: { when: "Another account has this username.", action: "Let the user choose another one." },
  link_required: {
    when: "An account has the email address that the provider gave.",
    action: "Let the user sign in with a code, then link the provider.",
  },
  open_rental: { when: "The user still has a power bank.", action: "Show how to return it." },
  debt_due: { when: "The wallet balance is negative.", action: "Show how to pay." },
  last_sign_in_method: {
    when: "The user could not sign in any more.",
    action: "Offer to add another way to sign in first.",
  },
  last_admin: { when: "Nobody else is an admin.", action: "Make somebody else an admin first." },
  kyc_already_approved: {
    when: "The user's identity is verified already.",
    action: "Show the status; changes are up to support.",
  },
  kyc_not_viewed: {
    when: "The reviewer has not opened every current file.",
    action: "Open each file of the submission, then approve.",
  },
  kyc_version_stale: { when: "The user has submitted again.", action: "Load the submission again." },
  provider_already_linked: {
    when: "Another account of this provider is linked.",
    action: "Offer to unlink that one first.",
  },
  conflict: {
    when: "The state of the data does not allow it; the message says why.",
    action: "Load the data again and show the message.",
  },
  idempotency_key_reused: {
    when: "The key was used with another body.",
    action: "Use a new key for each action, and the same key only for its repetitions.",
  },
  payload_too_large: {
    when: "The body has more than 64 KB, or a file more than 8 MB.",
    action: "Send less; compress pictures before the upload.",
  },
  unsupported_media_type: { when: "The body has another format.", action: "Send JSON, or multipart with files." },
  rate_limit_exceeded: {
    when: "There were too many requests.",
    action: "Wait `Retry-After` seconds; show the user how long.",
  },
  internal_error: {
    when: "Something unexpected failed.",
    action: "Keep both tokens and repeat later, with the same `Idempotency-Key`.",
  },
  service_unavailable: {
    when: "A part of the service is down or busy.",
    action: "Keep both tokens and repeat after `Retry-After` seconds, with the same `Idempotency-Key`.",
  },
};
