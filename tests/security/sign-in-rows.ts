import { type SecurityRows, type Shown, shown } from "./evidence.ts";

const auth = "tests/auth";
const otpVerify = `${auth}/otp/otp-verify.test.ts`;
const otpRequest = `${auth}/otp/otp-request.test.ts`;
const otpLocks = `${auth}/otp/otp-locks.test.ts`;
const otpMessages = `${auth}/otp/otp-messages.test.ts`;
const browserFlow = `${auth}/social/social-browser.test.ts`;
const refusals = `${auth}/social/social-refusals.test.ts`;
const retries = `${auth}/account/sign-in-retries.test.ts`;
const config = "tests/platform/config/config.test.ts";
const sessions = "tests/sessions/sessions.test.ts";
const refresh = "tests/sessions/refresh.test.ts";
const mutations = "tests/sessions/jwt-mutations.test.ts";
const userDetail = "tests/staff/users/user-detail.test.ts";
const oauth = "tests/fuzz/oauth.test.ts";
const staffPasskeys = "tests/staff/staff-passkeys.test.ts";
const ownPasskeys = `${auth}/passkey/own-passkeys.test.ts`;
const passkeyLogin = `${auth}/passkey/passkey-login.test.ts`;
const matrix = "tests/staff/authorization-matrix.test.ts";
const headers = "tests/fuzz/headers.test.ts";
const races = "tests/races/races.test.ts";
const otpModel = shown([
  "tests/models/otp.test.ts",
  "ASVS 2.3.1, 6.3.1, 6.5.1: one-time codes and their tokens follow the model under any sequence of steps",
]);
const sessionModel: Shown = [
  "tests/models/sessions.test.ts",
  "ASVS 7.2.4, 7.4.1, 7.4.2, 10.4.5, 10.4.8: sessions follow the model under any sequence of steps",
];
const eachMutation: Shown = [mutations, "of an access token get 401 from a route and invalid from the token verifier"];

/** Authentication, sessions and tokens: ASVS V6, V7 and V9, NIST SP 800-63B-4, RFC 8725. */
export const signInRows: SecurityRows = {
  // Authentication.
  "ASVS 6.1.1": shown(["tests/docs.test.ts", "states what the code does"]),
  "ASVS 6.1.3": shown(
    ["tests/docs.test.ts", "states what the code does"],
    ["tests/platform/openapi/openapi.test.ts", "ASVS 6.1.3"],
  ),
  "ASVS 6.3.4": shown(["tests/platform/openapi/openapi.test.ts", "the document lists exactly the mounted routes"]),
  "ASVS 6.3.1": shown(
    [otpLocks, "ASVS 6.3.1: twenty failures a day"],
    [races, "R2: wrong codes across resends are compared five times per code"],
    ["tests/auth/account/guarded-rules.test.ts", "ASVS 6.3.1: a network has 600 wrong attempts in 10 minutes"],
  ),
  "ASVS 6.3.3": {
    deviation: "one-factor",
    tests: [
      [staffPasskeys, "works in no session that a code opened, until the passkey proves it"],
      [matrix, "every route answers %s as the matrix says"],
    ],
  },
  "ASVS 6.3.5": shown(
    [sessions, "the event auth.new_device (ASVS 6.3.5)"],
    ["tests/auth/account/guarded-rules.test.ts", "ASVS 6.3.5: a user is notified of a lockout"],
  ),
  "ASVS 6.3.7": shown(
    [refresh, "with one auth.refresh_reuse event (ASVS 10.4.5, 6.3.7)"],
    [
      "tests/users/notifications.test.ts",
      "notifies about a changed identifier in the app and with one message to the old identifier",
    ],
    ["tests/auth/identity/identity.test.ts", "is replaced: the old one is notified"],
  ),
  "ASVS 6.3.8": shown(
    [otpRequest, "ASVS 6.3.8: known, unknown and banned identifiers"],
    ["tests/budgets.test.ts", "makes the same statements and calls"],
  ),
  "ASVS 6.4.1": shown(
    [retries, "is refused for another identifier and stays valid (ASVS 6.4.1)"],
    [retries, "is valid for 10 minutes"],
  ),
  "ASVS 6.5.1": shown(
    [otpVerify, "ASVS 6.5.1: is accepted once"],
    [races, "R1: simultaneous right codes give one token"],
  ),
  "ASVS 6.5.2": shown(
    [otpMessages, "ASVS 16.2.5, 6.5.2"],
    ["tests/platform/data/outbox.test.ts", "no message or row contains it in plain text"],
  ),
  "ASVS 6.5.3": shown([otpMessages, "ASVS 6.5.3: generating a code never uses Math.random"]),
  "ASVS 6.5.4": shown([otpMessages, "codes are uniformly distributed"]),
  "ASVS 6.5.5": otpModel,
  "ASVS 6.6.1": { deviation: "restricted-sms" },
  "ASVS 6.6.2": shown([otpVerify, "ASVS 6.6.2: the two newest codes work"]),
  "ASVS 6.6.3": shown(
    [races, "R2: wrong codes across resends are compared five times per code"],
    [otpVerify, "a code allows five attempts across all unknown networks"],
  ),
  "ASVS 6.8.1": shown(
    [refusals, "%s is rejected, leaves nothing behind and gets no details (ASVS 6.8.2, 10.5)"],
    [
      "tests/auth/social/social-token.test.ts",
      "covers the addresses of a Workspace domain, but not with email_verified as a string",
    ],
  ),
  "ASVS 6.8.2": shown(
    [refusals, "(ASVS 6.8.2, 10.5)"],
    [refusals, "is accepted with RS256 only, although the key fits other algorithms (RFC 8725 section 3.1)"],
  ),
  "ASVS 6.8.4": shown([
    "tests/auth/deletion/account-deletion.test.ts",
    "requires a sign-in of the last 10 minutes; a refresh does not count (ASVS 7.5.1)",
  ]),
  "NIST 3.1.3.1": {
    ...shown([
      "tests/auth/deletion/account-deletion.test.ts",
      "requires a sign-in of the last 10 minutes; a refresh does not count (ASVS 7.5.1)",
    ]),
    deviation: "one-factor",
  },
  "NIST 3.1.3.2 random": shown([otpMessages, "NIST SP 800-63B 3.1.3.2: codes are uniformly distributed"]),
  "NIST 3.1.3.2 once": shown([races, "R1: simultaneous right codes give one token"]),
  "NIST 3.1.3.2 failures": shown(
    [otpLocks, "new codes do not shorten them"],
    [
      otpVerify,
      "strangers cannot use up the attempts of a network from which the user signed in during the last 90 days",
    ],
  ),
  "NIST 3.1.3.3": { deviation: "restricted-sms" },
  "NIST 3.2.9": { deviation: "restricted-sms" },
  "NIST 3.2.2": shown(
    [
      otpLocks,
      "NIST SP 800-63B 3.2.2: a hundred consecutive failures lock the network class until seven days pass without an attempt",
    ],
    ["tests/auth/social/social-token.test.ts", "lifts the lock that failures set on a network class"],
  ),
  "ASVS 6.4.4": shown([staffPasskeys, "removes them, ends every session, and lets staff add one within 24 hours"]),
  "ASVS 6.4.6": shown([staffPasskeys, "of staff is for admins who used a passkey within ten minutes"]),
  "ASVS 6.5.6": shown([ownPasskeys, "ends the other sessions that it opened or proved; then it is unknown"]),
  "ASVS 6.7.2": shown([passkeyLogin, "is good for ten minutes"], [passkeyLogin, "signs in once: twenty calls"]),
  "NIST 4.1.2": shown(
    [userDetail, "accepts a body as %s"],
    [
      "tests/users/notifications.test.ts",
      "notifies about a changed identifier in the app and with one message to the old identifier",
    ],
  ),

  // Sessions and tokens.
  "ASVS 7.1.1": shown([refresh, "ends when it is not refreshed for its idle time"], sessionModel),
  "ASVS 7.1.2": shown([sessions, "(ASVS 7.1.2)"]),
  "ASVS 7.2.1": shown([headers, "ASVS 7.2.1"]),
  "ASVS 7.2.4": {
    ...shown(
      ["tests/auth/account/account.test.ts", "with a new session in addition to the old one"],
      ["tests/auth/proof/proof.test.ts", "proves this session alone, uses the token up, opens no session"],
      sessionModel,
    ),
    deviation: "proof-keeps-session",
  },
  "ASVS 7.3.1": shown(
    [refresh, "ends when it is not refreshed for its idle time"],
    ["tests/console/session.test.ts", "ends when it is not refreshed for an hour"],
  ),
  "ASVS 7.3.2": shown(
    [refresh, "ends at its absolute expiry however often it is refreshed"],
    ["tests/console/session.test.ts", "ends 12 hours after the sign-in"],
  ),
  "ASVS 7.4.1": shown([sessions, "(ASVS 7.4.1)"], [races, "R8: nothing is accepted after a logout"]),
  "ASVS 7.4.2": shown([userDetail, "ends every session at once, with an audit row and a notification"], sessionModel),
  "ASVS 7.4.3": shown(
    [sessions, "ends all others and keeps the current one (ASVS 7.4.3)"],
    ["tests/auth/identity/identity.test.ts", "is replaced: the old one is notified"],
  ),
  "ASVS 7.4.5": {
    ...shown([userDetail, "staff can list them and end all of them, with an audit row for each"]),
    deviation: "emergency-sign-out",
  },
  "ASVS 7.5.1": shown(
    ["tests/auth/deletion/account-deletion.test.ts", "(ASVS 7.5.1)"],
    ["tests/auth/social/social-links.test.ts", "(ASVS 7.5.1)"],
    ["tests/auth/proof/proof.test.ts", "accepts a proof of 9:59 and refuses one of 10 minutes"],
  ),
  "ASVS 7.5.2": shown([sessions, "the list of sessions (ASVS 7.5.2)"]),
  "ASVS 7.5.3": shown(
    [userDetail, "staff get short sessions"],
    [userDetail, "requires a known status, and a reason unless it is ACTIVE"],
  ),
  "ASVS 7.6.2": shown(
    [browserFlow, "fails without its cookie, with an altered one and with the other provider's (ASVS 7.6.2)"],
    [oauth, "ASVS 7.6.2"],
  ),
  "ASVS 9.1.1": shown(eachMutation),
  "ASVS 9.1.2": shown(eachMutation),
  "ASVS 9.1.3": shown(eachMutation),
  "ASVS 9.2.1": shown(eachMutation, [
    "tests/sessions/tokens.test.ts",
    "expires after 15 minutes, and the response says so",
  ]),
  "ASVS 9.2.2": shown([mutations, "is rejected wherever another kind is expected, and stays valid in its own place"]),
  "ASVS 9.2.3": shown(["tests/sessions/tokens.test.ts", "(ASVS 9.2.3)"]),
  "ASVS 9.2.4": shown(["tests/sessions/tokens.test.ts", "made for another audience or by another issuer"]),
  "RFC 8725 3.1": shown(eachMutation, [
    refusals,
    "is accepted with RS256 only, although the key fits other algorithms (RFC 8725 section 3.1)",
  ]),
  "RFC 8725 3.2": shown(["tests/sessions/tokens.test.ts", "is an EdDSA JWT of 15 minutes"]),
  "RFC 8725 3.5": shown([config, "RFC 8725 3.5: no route is served if a secret is missing, malformed or weak"]),
  "RFC 8725 3.8": shown(["tests/sessions/tokens.test.ts", "RFC 8725 section 3.8"]),
  "RFC 8725 3.9": shown(["tests/sessions/tokens.test.ts", "(ASVS 9.2.3)"]),
  "RFC 8725 3.10": shown(eachMutation),
  "RFC 8725 3.11": shown([mutations, "RFC 8725 section 3.11"]),
  "RFC 8725 3.12": shown([
    mutations,
    "is rejected wherever another kind is expected, and stays valid in its own place",
  ]),
  // One-time codes are compared by SQL `=` on HMACs under a secret pepper, whose timing reveals nothing about a code.
  "ASVS 11.2.4": shown(["tests/security/source.test.ts", "ASVS 11.2.4"]),
  "ASVS 11.5.1": shown(["tests/security/source.test.ts", "ASVS 11.5.1"]),
  "ASVS 11.1.1": shown(["tests/sessions/tokens.test.ts", "a change of keys (ASVS 13.3.4)"]),
  "ASVS 13.3.1": shown([config, "RFC 8725 3.5: no route is served if a secret"]),
  "ASVS 13.3.4": shown(["tests/sessions/tokens.test.ts", "a change of keys (ASVS 13.3.4)"]),
};
