import { type SecurityRows, shown } from "./evidence.ts";

const auth = "tests/auth";
const browserFlow = `${auth}/social-browser.test.ts`;
const refusals = `${auth}/social-refusals.test.ts`;
const sessions = "tests/sessions/sessions.test.ts";
const refresh = "tests/sessions/refresh.test.ts";
const oauth = "tests/fuzz/oauth.test.ts";
const races = "tests/races/races.test.ts";

/** OAuth and OpenID Connect: ASVS V10, RFC 9700, FAPI 2.0. */
export const oauthRows: SecurityRows = {
  // OAuth and OpenID Connect.
  "ASVS 10.1.1": shown([browserFlow, "puts no token and no secret into an address"]),
  "ASVS 14.2.1": shown([browserFlow, "puts no token and no secret into an address"]),
  "ASVS 10.1.2": shown([browserFlow, "takes a state once (ASVS 10.1.2)"]),
  "ASVS 10.2.1": shown([oauth, "ASVS 7.6.2, 10.2.1"]),
  "RFC 9700 2.1": shown([browserFlow, "ends for the state of another flow"]),
  "RFC 9700 4.7": shown([browserFlow, "ends for the state of another flow"]),
  "RFC 9700 2.1.1": shown([browserFlow, "is bound to the flow by PKCE"]),
  "RFC 9700 4.5": shown([browserFlow, "of another flow does not fit this flow's verifier"]),
  "RFC 9700 4.8": shown([browserFlow, "is refused twice in one query, and without a challenge of S256"]),
  "Apple form_post": shown([browserFlow, "leads from login by start, provider and callback to a session"]),
  "ASVS 10.2.2": shown([oauth, "takes no code of the other provider, nor the other's cookie"]),
  "RFC 9700 4.4": shown([browserFlow, "(RFC 9700 section 4.4)"]),
  "ASVS 10.2.3": shown([browserFlow, "asks for no more than it needs"]),
  "ASVS 10.4.1": shown([oauth, "over sixty near ones are refused"]),
  "RFC 9700 4.1": shown([oauth, "RFC 9700 section 4.1"]),
  "RFC 9700 4.11": shown([oauth, "RFC 9700 section 4.1, 4.11"]),
  "ASVS 3.7.2": shown([oauth, "over sixty near ones are refused"]),
  "RFC 9700 4.12": shown([browserFlow, "leads from login by start, provider and callback to a session"]),
  "ASVS 10.4.2": shown([browserFlow, "repeated by the same proof within 180 seconds gives the same session"]),
  "ASVS 10.4.3": shown([browserFlow, "lives for 60 seconds"]),
  "ASVS 10.4.5": shown(
    [refresh, "(ASVS 10.4.5, 6.3.7)"],
    [races, "R7: an old token beside the owner's ends the session"],
  ),
  "RFC 9700 2.2.2": shown([races, "R5: a hundred refreshes give one successor"]),
  "RFC 9700 4.14": shown([refresh, "ends the session within the 120 seconds once its successor was used"]),
  "ASVS 10.4.8": shown([refresh, "ends at its absolute time"]),
  "ASVS 10.4.9": shown([sessions, "ends the one that is named, at once and once"]),
  "FAPI 2.0": shown([refresh, "(FAPI 2.0, lost answers)"], [races, "R6: a lost answer can be fetched again"]),
  "ASVS 10.5.1": shown([refusals, "with a nonce is not accepted under another"]),
  "ASVS 10.5.2": shown([
    "tests/auth/social-token.test.ts",
    "signs a known person in to the same account, whatever their address is by now",
  ]),
  "ASVS 10.5.3": shown([refusals, "(ASVS 6.8.2, 10.5)"]),
  "ASVS 10.5.4": shown([refusals, "(ASVS 6.8.2, 10.5)"]),
  API10: shown(
    ["tests/delivery/sms.test.ts", "API10: a provider is not trusted"],
    [browserFlow, "answers 503 where the provider does not answer as it should"],
  ),
};
