/** A test by its file and a part of its name; a `describe` counts. */
type Shown = readonly [file: string, name: string];

/** What shows that a requirement is met; or, where it is met in part or otherwise, the README's words about that. */
export interface Evidence {
  tests?: readonly Shown[];
  /** Words of the README. */
  readme?: string;
}

const shown = (...tests: Shown[]): Evidence => ({ tests });

const auth = "tests/auth";
const otpVerify = `${auth}/otp-verify.test.ts`;
const otpRequest = `${auth}/otp-request.test.ts`;
const otpLocks = `${auth}/otp-locks.test.ts`;
const otpMessages = `${auth}/otp-messages.test.ts`;
const browserFlow = `${auth}/social-browser.test.ts`;
const refusals = `${auth}/social-refusals.test.ts`;
const retries = `${auth}/sign-in-retries.test.ts`;
const config = "tests/platform/config.test.ts";
const responses = "tests/platform/responses.test.ts";
const healthAndLog = "tests/platform/health-and-log.test.ts";
const sessions = "tests/sessions/sessions.test.ts";
const refresh = "tests/sessions/refresh.test.ts";
const mutations = "tests/sessions/jwt-mutations.test.ts";
const files = "tests/users/kyc-files.test.ts";
const links = "tests/users/kyc-documents.test.ts";
const person = "tests/staff/person.test.ts";
const oauth = "tests/fuzz/oauth.test.ts";
const fuzz = "tests/fuzz/operations.test.ts";
const routes = "tests/fuzz/routes.test.ts";
const headers = "tests/fuzz/headers.test.ts";
const races = "tests/races/races.test.ts";
const otpModel = shown(["tests/models/otp.test.ts", "one-time codes and their tokens keep the contract's rules"]);
const sessionModel: Shown = ["tests/models/sessions.test.ts", "sessions keep the contract's rules"];
const eachMutation: Shown = [mutations, "of an access token are 401 at a route"];
const ONE_FACTOR =
  "Accepted limits: a one-time code alone is one factor; one sent by e-mail proves an address, not a device";
const RESTRICTED = "SMS is a restricted authenticator, beside which Google and Apple stand";

/**
 * The requirements of OWASP ASVS 5.0 (levels 1 and 2, and those of 3 whose threat is real here), NIST SP 800-63B-4, RFC
 * 8725, RFC 9700, FAPI 2.0, the OWASP API Security Top 10 of 2023 and MASVS that have a subject here, and what shows that
 * each is met.
 */
export const securityRows: Readonly<Record<string, Evidence>> = {
  // Authentication.
  "ASVS 6.1.1": shown(["tests/readme.test.ts", "states every limit as it runs (ASVS 6.1.1)"]),
  "ASVS 6.1.3": shown(
    ["tests/readme.test.ts", "lists every route that is mounted"],
    ["tests/platform/openapi.test.ts", "ASVS 6.1.3"],
  ),
  "ASVS 6.3.4": shown(["tests/platform/openapi.test.ts", "the document lists exactly the mounted routes"]),
  "ASVS 6.3.1": shown(
    [otpLocks, "ASVS 6.3.1: twenty failures a day"],
    [races, "R2: wrong codes over resends"],
    ["tests/auth/guarded-rules.test.ts", "ASVS 6.3.1: a network may guess 600 times"],
  ),
  "ASVS 6.3.3": { readme: ONE_FACTOR },
  "ASVS 6.3.5": shown(
    [sessions, "the event of a new device (ASVS 6.3.5)"],
    ["tests/auth/guarded-rules.test.ts", "ASVS 6.3.5: a lock-out is told to its user"],
  ),
  "ASVS 6.3.7": shown(
    [refresh, "with one auth.refresh_reuse event (ASVS 10.4.5, 6.3.7)"],
    ["tests/users/notifications.test.ts", "tells of a changed identifier in the app"],
  ),
  "ASVS 6.3.8": shown(
    [otpRequest, "ASVS 6.3.8: known, unknown and banned identifiers"],
    ["tests/budgets.test.ts", "makes the same statements and calls"],
  ),
  "ASVS 6.4.1": shown(
    [retries, "of another identifier is refused and lives on (ASVS 6.4.1)"],
    [retries, "lives 10 minutes"],
  ),
  "ASVS 6.5.1": shown([otpVerify, "ASVS 6.5.1: is accepted once"], [races, "R1: a hundred right codes give one token"]),
  "ASVS 6.5.2": shown(
    [otpMessages, "ASVS 16.2.5, 6.5.2"],
    ["tests/platform/outbox.test.ts", "nothing that travels or rests holds it in the clear"],
  ),
  "ASVS 6.5.3": shown([otpMessages, "ASVS 6.5.3: making a code never draws from Math.random"]),
  "ASVS 6.5.4": shown([otpMessages, "codes are uniformly distributed"]),
  "ASVS 6.5.5": otpModel,
  "ASVS 6.6.1": { readme: RESTRICTED },
  "ASVS 6.6.2": shown([otpVerify, "ASVS 6.6.2: the two newest codes work"]),
  "ASVS 6.6.3": shown([races, "R2: wrong codes over resends"], [otpVerify, "a code has five, from whatever networks"]),
  "ASVS 6.8.1": shown(
    [refusals, "is refused, leaves nothing behind and says no more than that (ASVS 6.8.2, 10.5)"],
    ["tests/auth/social-token.test.ts", "extends to the addresses of a Workspace domain, and not to the word true"],
  ),
  "ASVS 6.8.2": shown([refusals, "(ASVS 6.8.2, 10.5)"], [refusals, "is accepted by RS256 alone"]),
  "ASVS 6.8.4": shown([
    "tests/auth/account-deletion.test.ts",
    "asks for a new sign-in after 10 minutes; refreshing is none (ASVS 7.5.1)",
  ]),
  "NIST 3.1.3.1": {
    ...shown(["tests/auth/account-deletion.test.ts", "asks for a new sign-in after 10 minutes"]),
    readme: ONE_FACTOR,
  },
  "NIST 3.1.3.2 random": shown([otpMessages, "NIST SP 800-63B 3.1.3.2: codes are uniformly distributed"]),
  "NIST 3.1.3.2 once": shown([races, "R1: a hundred right codes give one token"]),
  "NIST 3.1.3.2 failures": shown(
    [otpLocks, "new codes do not shorten them"],
    [otpVerify, "strangers cannot use up those of a network"],
  ),
  "NIST 3.1.3.3": { readme: RESTRICTED },
  "NIST 3.2.2": shown(
    [otpLocks, "NIST SP 800-63B 3.2.2: a hundred failures in a row"],
    ["tests/auth/social-token.test.ts", "opens a class of networks that guesses have closed"],
  ),
  "NIST 4.1.2": shown(
    [person, "comes as %s"],
    [
      "tests/users/notifications.test.ts",
      "tells of a changed identifier in the app, and by one message to the old one",
    ],
  ),

  // Sessions and tokens.
  "ASVS 7.1.1": shown([refresh, "ends when it was not refreshed for its idle time"], sessionModel),
  "ASVS 7.1.2": shown([sessions, "(ASVS 7.1.2)"]),
  "ASVS 7.2.1": shown([headers, "ASVS 7.2.1"]),
  "ASVS 7.2.4": shown(["tests/auth/account.test.ts", "with a new session beside the old one"], sessionModel),
  "ASVS 7.3.1": shown([refresh, "ends when it was not refreshed for its idle time"]),
  "ASVS 7.3.2": shown([refresh, "ends at its absolute time however often it is refreshed"]),
  "ASVS 7.4.1": shown([sessions, "(ASVS 7.4.1)"], [races, "R8: nothing is accepted after a logout"]),
  "ASVS 7.4.2": shown([person, "ends every session at once, with an audit row and a notification"], sessionModel),
  "ASVS 7.4.3": shown([sessions, "ends all others and keeps the one that asks (ASVS 7.4.3)"]),
  "ASVS 7.4.5": {
    ...shown([person, "are listed, and all ended, audited once"]),
    readme: "**Sign everybody out**: replace TOKEN_SECRETS and ACCESS_TOKEN_KEYS altogether",
  },
  "ASVS 7.5.1": shown(
    ["tests/auth/account-deletion.test.ts", "(ASVS 7.5.1)"],
    ["tests/auth/social-links.test.ts", "(ASVS 7.5.1)"],
  ),
  "ASVS 7.5.2": shown([sessions, "the list of sessions (ASVS 7.5.2)"]),
  "ASVS 7.5.3": shown(
    [person, "gives staff short sessions"],
    [person, "needs a known status, and a reason unless ACTIVE"],
  ),
  "ASVS 7.6.2": shown(
    [browserFlow, "ends without its cookie, with an altered one and with another provider's (ASVS 7.6.2)"],
    [oauth, "ASVS 7.6.2"],
  ),
  "ASVS 9.1.1": shown(eachMutation),
  "ASVS 9.1.2": shown(eachMutation),
  "ASVS 9.1.3": shown(eachMutation),
  "ASVS 9.2.1": shown(eachMutation, ["tests/sessions/tokens.test.ts", "ends after 15 minutes"]),
  "ASVS 9.2.2": shown([mutations, "is refused in every other's place"]),
  "ASVS 9.2.3": shown(["tests/sessions/tokens.test.ts", "(ASVS 9.2.3)"]),
  "ASVS 9.2.4": shown(["tests/sessions/tokens.test.ts", "made for another audience or by another issuer"]),
  "RFC 8725 3.1": shown(eachMutation, [refusals, "is accepted by RS256 alone"]),
  "RFC 8725 3.2": shown(["tests/sessions/tokens.test.ts", "is an EdDSA JWT of 15 minutes"]),
  "RFC 8725 3.5": shown([config, "RFC 8725 3.5: nothing is served with a secret that is missing, malformed or weak"]),
  "RFC 8725 3.8": shown(["tests/sessions/tokens.test.ts", "RFC 8725 section 3.8"]),
  "RFC 8725 3.9": shown(["tests/sessions/tokens.test.ts", "(ASVS 9.2.3)"]),
  "RFC 8725 3.10": shown(eachMutation),
  "RFC 8725 3.11": shown([mutations, "RFC 8725 section 3.11"]),
  "RFC 8725 3.12": shown([mutations, "is refused in every other's place"]),
  "ASVS 11.2.4": shown(["tests/platform/source.test.ts", "ASVS 11.2.4"]),
  "ASVS 11.5.1": shown(["tests/platform/source.test.ts", "ASVS 11.5.1"]),
  "ASVS 11.1.1": shown(["tests/sessions/tokens.test.ts", "a change of keys (ASVS 13.3.4)"]),
  "ASVS 13.3.1": shown([config, "RFC 8725 3.5: nothing is served with a secret"]),
  "ASVS 13.3.4": shown(["tests/sessions/tokens.test.ts", "a change of keys (ASVS 13.3.4)"]),

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

  // Authorization, validation, business logic.
  "ASVS 8.2.1": shown(
    ["tests/staff/authorization-matrix.test.ts", "The authorization matrix (ASVS 8.2.1"],
    [fuzz, "answers a right request as documented, whoever asks"],
  ),
  API5: shown(["tests/staff/authorization-matrix.test.ts", "The authorization matrix"]),
  "ASVS 8.2.2": shown([sessions, "(ASVS 8.2.2)"], ["tests/users/notifications.test.ts", "(ASVS 8.2.2)"]),
  API1: shown([sessions, "(ASVS 8.2.2)"], [links, "is nobody's who is neither owner nor staff"]),
  "ASVS 8.2.3": shown(["tests/users/profile.test.ts", "(ASVS 8.2.3)"]),
  "ASVS 15.3.1": shown([fuzz, "answers a right request as documented, whoever asks"]),
  "ASVS 15.3.3": shown(
    ["tests/platform/bodies.test.ts", "ASVS 15.3.3"],
    ["tests/staff/authorization-matrix.test.ts", "Mass assignment (ASVS 15.3.3)"],
  ),
  API3: shown(["tests/platform/bodies.test.ts", "ASVS 15.3.3"]),
  "ASVS 8.3.1": shown(["tests/staff/authorization-matrix.test.ts", "The authorization matrix"]),
  "ASVS 8.3.2": shown([person, "do nothing from the next request on"]),
  "ASVS 8.4.2": shown([person, "gives staff short sessions"]),
  "ASVS 2.1.1": shown(["tests/platform/openapi.test.ts", "with the limits that the routes hold"]),
  "ASVS 2.2.1": shown([fuzz, "ASVS 2.2.1"]),
  "ASVS 2.2.2": shown([fuzz, "refuses what is wrong"]),
  "ASVS 2.2.3": shown(
    ["tests/staff/directory.test.ts", "refuse a start after the end"],
    ["tests/users/kyc-review.test.ts", "to reject needs a reason"],
    ["tests/users/profile.test.ts", "takes yesterday in Nepal as a birthday"],
  ),
  "ASVS 2.3.1": otpModel,
  "ASVS 2.3.2": shown(
    ["tests/users/kyc.test.ts", "are ten, whatever came of the files"],
    ["tests/auth/device.test.ts", "keeps the 20 devices used last"],
    ["tests/auth/account.test.ts", "links somebody else's referral code once"],
  ),
  "ASVS 2.3.3": shown(
    ["tests/faults/crashes.test.ts", "is whole after a call that did %s, and takes effect once"],
    ["tests/models/outbox.test.ts", "an event has its effect once"],
  ),
  "ASVS 2.3.4": shown([retries, "(ASVS 2.3.4)"], [races, "R9: a verification token makes one user"]),
  "ASVS 2.4.1": shown(["tests/delivery/sms-budget.test.ts", "ASVS 2.4.1"]),
  API4: shown(
    ["tests/platform/bodies.test.ts", "API4: a body beyond 64 KB is 413"],
    ["tests/delivery/sms-budget.test.ts", "provider calls never exceed the day's budget"],
  ),
  API6: shown(["tests/auth/sms-limits.test.ts", "are a hundred an hour, to whatever numbers"]),
  "ASVS 15.4.2": shown([refresh, "(ASVS 15.4.2)"], [races, "R5: a hundred refreshes give one successor"]),
  "ASVS 1.2.4": shown(
    ["tests/platform/bodies.test.ts", "ASVS 1.2.4"],
    [fuzz, "refuses what is wrong"],
    ["tests/staff/search.test.ts", "may be 255 characters long, not 256"],
  ),
  "ASVS 1.1.1": shown([
    "tests/auth/account.test.ts",
    "takes every way of writing a phone number or an e-mail address for one user",
  ]),
  "ASVS 1.5.3": shown(["tests/platform/bodies.test.ts", "ASVS 1.5.3"], [routes, "ASVS 1.5.3"]),
  "ASVS 1.3.6": shown(["tests/platform/provider-settings.test.ts", "ASVS 13.2.4: no origin is called"]),
  API7: shown(["tests/platform/provider-settings.test.ts", "ASVS 13.2.4: no origin is called"]),
  "ASVS 1.3.12": shown(["tests/platform/source.test.ts", "ASVS 1.3.12"]),
  "ASVS 15.3.2": shown(["tests/delivery/sms.test.ts", "API10: a provider is not trusted"]),
  "ASVS 15.3.4": shown([responses, "ASVS 15.3.4"], [headers, "15.3.4"]),
  "ASVS 4.1.3": shown([otpRequest, "ASVS 4.1.3"], [headers, "ASVS 4.1.3"]),
  "ASVS 15.3.5": shown(["tests/platform/bodies.test.ts", "ASVS 15.3.5"], [fuzz, "15.3.5"]),
  "ASVS 15.3.6": shown(["tests/platform/bodies.test.ts", "ASVS 15.3.6"]),
  "ASVS 15.3.7": shown(
    [oauth, "signs nobody in for any other code, error, issuer or doubled parameter"],
    [fuzz, "refuses what is wrong"],
  ),
  "ASVS 15.2.2": shown(["tests/budgets.test.ts", "leaves queues and buckets alone before the response"]),
  API8: shown([config, "What is not development is production"]),
  API9: shown(["tests/platform/openapi.test.ts", "the document lists exactly the mounted routes"]),

  // The surface, files, data, logs, configuration.
  "ASVS 4.1.1": shown([routes, "ASVS 4.1.1"], [fuzz, "refuses what is wrong"]),
  "ASVS 4.1.2": {
    ...shown([config, "An ISSUER that is not https serves in development only"]),
    readme: '**HTTPS**: turn on the zone\'s "Always Use HTTPS"',
  },
  "ASVS 4.1.4": shown([routes, "ASVS 4.1.4"]),
  "ASVS 4.2.1": shown([routes, "ASVS 4.2.1"], [headers, "ASVS 4.2.1"]),
  "ASVS 3.4.1": shown([responses, "ASVS 3.4: every answer carries the security headers"]),
  "ASVS 3.4.4": shown(
    [responses, "ASVS 3.4: every answer carries the security headers"],
    [fuzz, "refuses what is wrong"],
  ),
  "ASVS 3.4.5": shown([responses, "ASVS 3.4: every answer carries the security headers"]),
  "ASVS 14.3.2": shown([responses, "ASVS 14.3.2"]),
  "ASVS 3.4.2": shown([responses, "ASVS 3.4.2: browsers of exactly the configured origins"]),
  "ASVS 3.5.1": shown(["tests/sessions/tokens.test.ts", "is asked for as Authorization: Bearer, and by no other way"]),
  "ASVS 3.5.3": shown([routes, "ASVS 3.5.3"]),
  "ASVS 5.1.1": shown([
    "tests/platform/openapi.test.ts",
    "A body with files is documented as multipart with binary parts",
  ]),
  "ASVS 5.2.1": shown([files, "two files of 8 MB are taken, one byte more is not"], [files, "whose length is a lie"]),
  "ASVS 5.2.2": shown([files, "A file is known by its content"], [files, "Two files in one"]),
  "ASVS 5.2.3": shown([files, "with %s in front are refused"]),
  "ASVS 5.2.4": shown(
    ["tests/users/kyc.test.ts", "are ten, whatever came of the files"],
    ["tests/models/kyc.test.ts", "ASVS 2.3.1, 5.2.4"],
  ),
  "ASVS 5.2.5": shown([files, "with %s behind the end are refused"]),
  "ASVS 5.2.6": shown([files, "and 50 megapixels are allowed"]),
  "ASVS 5.3.1": shown(["tests/users/kyc.test.ts", "keeps neither the name nor the declared type of a file"]),
  "ASVS 5.3.2": shown(["tests/users/kyc.test.ts", "keeps neither the name nor the declared type of a file"]),
  "ASVS 5.4.1": shown([links, "offers a PDF for saving only"]),
  "ASVS 5.4.2": shown([links, "opens the file without any header, as what it is and nothing else"]),
  "ASVS 14.1.1": shown(["tests/users/kyc.test.ts", "A document number rests nowhere in the clear"]),
  "ASVS 14.2.4": shown(
    ["tests/users/kyc.test.ts", "A document number rests nowhere in the clear"],
    ["tests/users/kyc.test.ts", "A number opens under every data secret that is kept"],
  ),
  "ASVS 14.2.2": shown([responses, "ASVS 14.3.2"]),
  "ASVS 14.2.5": shown([responses, "ASVS 14.3.2"]),
  "ASVS 14.2.6": shown(
    ["tests/staff/directory.test.ts", "show exactly the contract's fields of a user"],
    [person, "the document number masked"],
  ),
  "ASVS 14.2.7": shown(
    ["tests/tasks/jobs.test.ts", "deletes what is older than 365 days and nothing younger"],
    ["tests/auth/account-deletion.test.ts", "leaves nothing of the person in D1, KV and R2"],
  ),
  "ASVS 14.2.8": shown([files, "What a camera wrote about the place is taken out"]),
  "ASVS 16.2.1": shown(
    ["tests/auth/account.test.ts", "one audit row and one event (ASVS 16.2)"],
    [healthAndLog, "has one JSON line for each request"],
  ),
  "ASVS 16.3.1": shown(["tests/auth/account.test.ts", "one LOGIN audit row and a new last_login (ASVS 7.2.4, 16.3.1)"]),
  "ASVS 16.3.2": shown([person, "leaves one VIEW row a look, by staff, and none for a look that was refused"]),
  "ASVS 16.2.5": shown(
    [healthAndLog, "ASVS 16.2.5: the log"],
    ["tests/delivery/sms.test.ts", "ASVS 16.2.5: the log of a try"],
  ),
  "ASVS 16.4.1": shown([healthAndLog, "has one JSON line for each request"]),
  "ASVS 16.4.3": { readme: "**Logs**: one JSON line a request and task" },
  "ASVS 16.5.1": shown([responses, "ASVS 16.5.1: a binding that fails"], [fuzz, "refuses what is wrong"]),
  "ASVS 16.5.2": shown(["tests/faults/deadlines.test.ts", "ASVS 16.5.2: a database that never answers"]),
  "ASVS 16.5.3": shown(
    [responses, "a database that is down is 503 with Retry-After"],
    ["tests/sessions/outages.test.ts", "a KV namespace that fails or never heard of an end"],
  ),
  "ASVS 16.5.4": shown([fuzz, "refuses what is wrong"]),
  "ASVS 13.1.2": shown(["tests/faults/deadlines.test.ts", "a queue that never answers delays nobody's answer"]),
  "ASVS 13.1.3": shown(["tests/delivery/failover.test.ts", "The circuit breaker"]),
  "ASVS 13.2.6": shown(["tests/tasks/webhooks.test.ts", "is tried 8 times over 24 hours"]),
  "ASVS 13.2.2": shown([links, "is nobody's who is neither owner nor staff"]),
  "ASVS 13.3.2": shown(["tests/events/rpc.test.ts", "refuses a caller whose binding does not say who it is"]),
  "ASVS 13.2.4": shown(["tests/platform/provider-settings.test.ts", "ASVS 13.2.4"]),
  "ASVS 13.2.5": shown(["tests/platform/provider-settings.test.ts", "ASVS 13.2.4"]),
  "ASVS 13.4.1": shown([config, "shows neither the outbox nor the headers"]),
  "ASVS 13.4.2": shown([config, "Production keeps no code where the outbox could show it"]),
  "ASVS 13.4.4": shown([config, "No method betrays that the development routes exist"]),
  "ASVS 13.4.5": shown([
    "tests/platform/openapi.test.ts",
    "The debug route is refused as documented outside development",
  ]),
  "ASVS 15.1.2": shown(["tests/platform/source.test.ts", "ASVS 15.1.2"]),
  "ASVS 15.2.4": shown(["tests/platform/source.test.ts", "ASVS 15.1.2"]),
  API2: shown(eachMutation, sessionModel),
  "MASVS-AUTH-1": shown(["tests/staff/authorization-matrix.test.ts", "The authorization matrix"]),
  "MASVS-AUTH-3": shown(["tests/auth/account-deletion.test.ts", "asks for a new sign-in after 10 minutes"]),
  "MASVS-NETWORK-1": shown([responses, "HSTS over https alone"]),
  "MASVS-STORAGE-2": shown(["tests/tasks/push.test.ts", "with ids and nothing personal as data"]),
  "MASVS-PRIVACY": shown(["tests/auth/account-deletion.test.ts", "leaves nothing of the person in D1, KV and R2"]),
};

/** Requirements whose subject the API lacks, with the reason. */
export const withoutSubject: Readonly<Record<string, string>> = {
  "ASVS 5.4.3": "No virus scanner is bound; files are parsed, cleaned and served from a sandbox instead.",
  "ASVS 15.2.1": "Patching is work on the repository; the lock file is what a test can see.",
  "ASVS 16.3.3": "The log's alerts are the platform's to raise; the README lists them.",
  "ASVS 13.4.6": "No version of a component is told anywhere but the API's own at health.",
  "MASVS-CODE-2": "No least version of the apps is part of the contract.",
};
