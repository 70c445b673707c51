import { type SecurityRows, shown } from "./evidence.ts";

const auth = "tests/auth";
const browserFlow = `${auth}/social/social-browser.test.ts`;
const refusals = `${auth}/social/social-refusals.test.ts`;
const sessions = "tests/sessions/sessions.test.ts";
const refresh = "tests/sessions/refresh.test.ts";
const oauth = "tests/fuzz/oauth.test.ts";
const races = "tests/races/races.test.ts";

/** OAuth and OpenID Connect: ASVS V10, RFC 9700, FAPI 2.0. */
export const oauthRows: SecurityRows = {
  // OAuth and OpenID Connect.
  "ASVS 10.1.1": shown([browserFlow, "puts no token or secret into a URL, a log line or a store"]),
  "ASVS 14.2.1": shown([browserFlow, "puts no token or secret into a URL, a log line or a store"]),
  "ASVS 10.1.2": shown([browserFlow, "accepts a state once (ASVS 10.1.2)"]),
  "ASVS 10.2.1": shown([oauth, "ASVS 7.6.2, 10.2.1"]),
  "RFC 9700 2.1": shown([
    browserFlow,
    "rejects the state of another browser's flow, and a code with the state of another flow",
  ]),
  "RFC 9700 4.7": shown([
    browserFlow,
    "rejects the state of another browser's flow, and a code with the state of another flow",
  ]),
  "RFC 9700 2.1.1": shown([browserFlow, "is bound to the flow by PKCE"]),
  "RFC 9700 4.5": shown([browserFlow, "is rejected with the verifier of another flow"]),
  "RFC 9700 4.8": shown([browserFlow, "is rejected if it is given twice, and without an S256 challenge"]),
  "Apple form_post": shown([
    browserFlow,
    "goes from login through start, provider and callback to a session and requests no more than it needs",
  ]),
  "ASVS 10.2.2": shown([oauth, "accepts neither a code nor a cookie of the other provider"]),
  "RFC 9700 4.4": shown([browserFlow, "(RFC 9700 section 4.4)"]),
  "ASVS 10.2.3": shown([
    browserFlow,
    "goes from login through start, provider and callback to a session and requests no more than it needs",
  ]),
  "ASVS 10.4.1": shown([oauth, "over a hundred similar ones are refused"]),
  "RFC 9700 4.1": shown([oauth, "RFC 9700 section 4.1"]),
  "RFC 9700 4.11": shown([oauth, "RFC 9700 section 4.1, 4.11"]),
  "ASVS 3.7.2": shown([oauth, "over a hundred similar ones are refused"]),
  "RFC 9700 4.12": shown([
    browserFlow,
    "goes from login through start, provider and callback to a session and requests no more than it needs",
  ]),
  "ASVS 10.4.2": shown([
    browserFlow,
    "returns the same session if repeated within 180 seconds and is rejected afterwards",
  ]),
  "ASVS 10.4.3": shown([browserFlow, "is valid for 60 seconds"]),
  "ASVS 10.4.5": shown(
    [refresh, "(ASVS 10.4.5, 6.3.7)"],
    [races, "R7: an old token used at the same time as the owner's newest ends the session"],
  ),
  "RFC 9700 2.2.2": shown([races, "R5: simultaneous refreshes give one successor"]),
  "RFC 9700 4.14": shown([refresh, "ends the session within the 120 seconds once its successor was used"]),
  "ASVS 10.4.8": shown([refresh, "ends at its absolute expiry however often it is refreshed"]),
  "ASVS 10.4.9": shown([sessions, "ends the named session at once, and only once"]),
  "FAPI 2.0": shown(
    [refresh, "returns the identical successor and a new access token for 120 seconds (FAPI 2.0, lost responses)"],
    [races, "R6: a call whose response was lost can be repeated"],
  ),
  "ASVS 10.5.1": shown([refusals, "is rejected with another nonce, and Apple's without one"]),
  "ASVS 10.5.2": shown([
    "tests/auth/social/social-token.test.ts",
    "signs a known person in to the same account although their address changed",
  ]),
  "ASVS 10.5.3": shown([refusals, "(ASVS 6.8.2, 10.5)"]),
  "ASVS 10.5.4": shown([refusals, "(ASVS 6.8.2, 10.5)"]),
  API10: shown(
    ["tests/delivery/sms.test.ts", "API10: a provider is not trusted"],
    [
      browserFlow,
      "returns 503 if the provider's response is missing or malformed, and redirects to the error page if it rejects the code",
    ],
  ),
};
