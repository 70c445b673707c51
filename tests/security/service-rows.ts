import { type SecurityRows, type Shown, shown } from "./evidence.ts";

const auth = "tests/auth";
const otpRequest = `${auth}/otp/otp-request.test.ts`;
const retries = `${auth}/account/sign-in-retries.test.ts`;
const config = "tests/platform/config/config.test.ts";
const responses = "tests/platform/http/responses.test.ts";
const healthAndLog = "tests/platform/http/health-and-log.test.ts";
const sessions = "tests/sessions/sessions.test.ts";
const refresh = "tests/sessions/refresh.test.ts";
const mutations = "tests/sessions/jwt-mutations.test.ts";
const files = "tests/users/kyc/kyc-files.test.ts";
const uploads = "tests/users/kyc/kyc-uploads.test.ts";
const links = "tests/users/kyc/kyc-documents.test.ts";
const userDetail = "tests/staff/users/user-detail.test.ts";
const oauth = "tests/fuzz/oauth.test.ts";
const fuzz = "tests/fuzz/operations.test.ts";
const routes = "tests/fuzz/routes.test.ts";
const headers = "tests/fuzz/headers.test.ts";
const consolePage = "tests/console/page.test.ts";
const consoleSession = "tests/console/session.test.ts";
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

/** Everything else: authorization, validation, the surface, files, data, logs and configuration. */
export const serviceRows: SecurityRows = {
  // Authorization, validation, business logic.
  "ASVS 8.2.1": shown(
    ["tests/staff/authorization-matrix.test.ts", "The authorization matrix (ASVS 8.2.1"],
    [fuzz, "answers a valid request as documented for every role"],
  ),
  API5: shown(["tests/staff/authorization-matrix.test.ts", "The authorization matrix"]),
  "ASVS 8.2.2": shown([sessions, "(ASVS 8.2.2)"], ["tests/users/notifications.test.ts", "(ASVS 8.2.2)"]),
  API1: shown([sessions, "(ASVS 8.2.2)"], [links, "is refused if the viewer is neither the owner nor staff any more"]),
  "ASVS 8.2.3": shown(["tests/users/profile.test.ts", "(ASVS 8.2.3)"]),
  "ASVS 15.3.1": shown([fuzz, "answers a valid request as documented for every role"]),
  "ASVS 15.3.3": shown(
    ["tests/platform/http/bodies.test.ts", "ASVS 15.3.3"],
    ["tests/staff/authorization-matrix.test.ts", "Mass assignment (ASVS 15.3.3)"],
  ),
  API3: shown(["tests/platform/http/bodies.test.ts", "ASVS 15.3.3"]),
  "ASVS 8.3.1": shown(["tests/staff/authorization-matrix.test.ts", "The authorization matrix"]),
  "ASVS 8.3.2": shown([userDetail, "cannot change a user from the next request on"]),
  "ASVS 8.4.2": shown([userDetail, "staff get short sessions"], [consolePage, "With Cloudflare Access (ASVS 8.4.2)"]),
  "ASVS 2.1.1": shown(["tests/platform/openapi/openapi.test.ts", "with the limits that the routes enforce"]),
  "ASVS 2.2.1": shown([fuzz, "ASVS 2.2.1"]),
  "ASVS 2.2.2": shown([fuzz, "refuses an invalid request in the documented shape and changes nothing"]),
  "ASVS 2.2.3": shown(
    ["tests/staff/directory/directory.test.ts", "a start after the end and invalid dates are refused"],
    ["tests/staff/kyc-review/kyc-review.test.ts", "to reject, the reviewer needs a reason but need not open the files"],
    ["tests/users/profile.test.ts", "accepts yesterday in Nepal as a birth date, and refuses today"],
  ),
  "ASVS 2.3.1": otpModel,
  "ASVS 2.3.2": shown(
    [uploads, "accepts ten uploads and refuses the eleventh until the first is a day old"],
    [uploads, "counts refused files, whatever the reason"],
    [uploads, "applies to concurrent uploads"],
    ["tests/auth/device/device.test.ts", "keeps the 20 most recently used devices"],
    ["tests/auth/account/account.test.ts", "links another user's referral code once and credits nobody yet"],
  ),
  "ASVS 2.3.3": shown(
    ["tests/faults/crashes.test.ts", "is consistent and takes effect once after a binding call with the fault %s"],
    [
      "tests/models/outbox.test.ts",
      "R14, ASVS 2.3.3: an event takes effect once, whatever crashes, fails or is redelivered",
    ],
  ),
  "ASVS 2.3.4": shown(
    [retries, "(ASVS 2.3.4)"],
    [races, "R9: a verification token used many times at once creates one user"],
  ),
  "ASVS 2.4.1": shown(
    ["tests/delivery/sms-budget.test.ts", "ASVS 2.4.1"],
    ["tests/staff/users/staff-views.test.ts", "(ASVS 2.4.1)"],
  ),
  API4: shown(
    ["tests/platform/http/bodies.test.ts", "API4: a body over 64 KB returns 413"],
    ["tests/delivery/sms-budget.test.ts", "provider calls never exceed the day's budget"],
  ),
  API6: shown([
    "tests/auth/otp/sms-limits.test.ts",
    "are limited to 100 per hour across all numbers; resend_in and Retry-After give the end of the window",
  ]),
  "ASVS 15.4.2": shown([refresh, "(ASVS 15.4.2)"], [races, "R5: simultaneous refreshes give one successor"]),
  "ASVS 1.2.4": shown(
    ["tests/platform/http/bodies.test.ts", "ASVS 1.2.4"],
    [fuzz, "refuses an invalid request in the documented shape and changes nothing"],
    ["tests/staff/directory/search.test.ts", "accepts 255 characters and refuses 256"],
  ),
  "ASVS 1.1.1": shown([
    "tests/auth/account/account.test.ts",
    "accepts every spelling of a phone number or e-mail address for the same user",
  ]),
  "ASVS 1.5.3": shown(["tests/platform/http/bodies.test.ts", "ASVS 1.5.3"], [routes, "ASVS 1.5.3"]),
  "ASVS 1.3.6": shown(["tests/delivery/provider-settings.test.ts", "ASVS 13.2.4: only configured origins are called"]),
  API7: shown(["tests/delivery/provider-settings.test.ts", "ASVS 13.2.4: only configured origins are called"]),
  "ASVS 1.3.12": shown(["tests/security/source.test.ts", "ASVS 1.3.12"]),
  "ASVS 15.3.2": shown(["tests/delivery/sms.test.ts", "API10: a provider is not trusted"]),
  "ASVS 15.3.4": shown([responses, "ASVS 15.3.4"], [headers, "15.3.4"]),
  "ASVS 4.1.3": shown([otpRequest, "ASVS 4.1.3"], [headers, "ASVS 4.1.3"]),
  "ASVS 15.3.5": shown(["tests/platform/http/bodies.test.ts", "ASVS 15.3.5"], [fuzz, "15.3.5"]),
  "ASVS 15.3.6": shown(["tests/platform/http/bodies.test.ts", "ASVS 15.3.6"]),
  "ASVS 15.3.7": shown(
    [oauth, "refuses a parameter that is sent more than once, wherever the right value stands, and the flow continues"],
    ["tests/platform/http/bodies.test.ts", "15.3.7: a repeated field"],
    [fuzz, "refuses an invalid request in the documented shape and changes nothing"],
  ),
  "ASVS 15.2.2": shown([
    "tests/budgets.test.ts",
    "every route stays within its round trips and calls no queue or bucket before the response",
  ]),
  API8: shown([config, "Any ENVIRONMENT other than development is production"]),
  API9: shown(["tests/platform/openapi/openapi.test.ts", "the document lists exactly the mounted routes"]),

  // The surface, files, data, logs, configuration.
  "ASVS 4.1.1": shown(
    [routes, "ASVS 4.1.1"],
    [fuzz, "refuses an invalid request in the documented shape and changes nothing"],
  ),
  "ASVS 4.1.2": {
    ...shown([config, "an ISSUER that is not https is accepted in development only"]),
    deviation: "https-by-worker",
  },
  "ASVS 4.1.4": shown([routes, "ASVS 4.1.4"]),
  "ASVS 4.2.1": shown([routes, "ASVS 4.2.1"], [headers, "ASVS 4.2.1"]),
  "ASVS 3.4.1": shown([responses, "ASVS 3.4: every response has nosniff and the referrer policy"]),
  "ASVS 3.3.1": shown([consoleSession, "keeps the refresh token in a __Host- cookie that no script can read"]),
  "ASVS 3.3.2": shown([consoleSession, "keeps the refresh token in a __Host- cookie that no script can read"]),
  "ASVS 3.3.4": shown([consoleSession, "keeps the refresh token in a __Host- cookie that no script can read"]),
  "ASVS 3.4.3": shown([consolePage, "has the exact policy"], [consolePage, "has no inline script, style or handler"]),
  "ASVS 3.4.6": shown([consolePage, "has the exact policy"]),
  "ASVS 3.4.8": shown([consolePage, "has the exact policy"]),
  "ASVS 3.4.4": shown(
    [responses, "ASVS 3.4: every response has nosniff and the referrer policy"],
    [fuzz, "refuses an invalid request in the documented shape and changes nothing"],
  ),
  "ASVS 3.4.5": shown([responses, "ASVS 3.4: every response has nosniff and the referrer policy"]),
  "ASVS 14.3.2": shown([responses, "ASVS 14.3.2"]),
  "ASVS 3.4.2": shown([responses, "ASVS 3.4.2: CORS for exactly the configured origins"]),
  "ASVS 3.5.1": shown(
    ["tests/sessions/tokens.test.ts", "is accepted only as Authorization: Bearer"],
    [consoleSession, "refuse a call %s and change nothing"],
  ),
  "ASVS 3.5.3": shown([routes, "ASVS 3.5.3"]),
  "ASVS 5.1.1": shown([
    "tests/platform/openapi/openapi.test.ts",
    "the KYC uploads as multipart only, with binary parts",
  ]),
  "ASVS 5.2.1": shown(
    [files, "a body with two files of 8 MB is accepted"],
    [files, "names the file that is too large"],
    [files, "the size is counted whatever Content-Length says"],
  ),
  "ASVS 5.2.2": shown(
    [files, "the type of a KYC file is detected from its content"],
    [files, "KYC files that contain a second file"],
  ),
  "ASVS 5.2.3": shown([files, "are refused with %s in front"]),
  "ASVS 5.2.4": shown(
    [uploads, "accepts ten uploads and refuses the eleventh until the first is a day old"],
    [uploads, "counts refused files, whatever the reason"],
    [uploads, "applies to concurrent uploads"],
    ["tests/models/kyc.test.ts", "ASVS 2.3.1, 5.2.4"],
  ),
  "ASVS 5.2.5": shown([files, "are reduced to the image if %s follows it"], [files, "are refused if %s follows a PDF"]),
  "ASVS 5.2.6": shown([files, "8192 × 8192 pixels are allowed in any shape"]),
  "ASVS 5.3.1": shown(["tests/users/kyc/kyc.test.ts", "stores neither the name nor the declared type of a file"]),
  "ASVS 5.3.2": shown(["tests/users/kyc/kyc.test.ts", "stores neither the name nor the declared type of a file"]),
  "ASVS 5.4.1": shown([links, "sends a PDF as an attachment"]),
  "ASVS 5.4.2": shown([links, "returns the file without any request header and with its exact content type"]),
  "ASVS 14.1.1": shown([
    "tests/users/kyc/kyc.test.ts",
    "a document number is never stored unencrypted in D1, KV, R2 or the log",
  ]),
  "ASVS 14.2.4": shown(
    ["tests/users/kyc/kyc.test.ts", "a document number is never stored unencrypted in D1, KV, R2 or the log"],
    [
      "tests/users/kyc/kyc.test.ts",
      "a document number can be decrypted with every configured data secret, and only for its own user",
    ],
  ),
  "ASVS 14.2.2": shown([responses, "ASVS 14.3.2"]),
  "ASVS 14.2.5": shown([responses, "ASVS 14.3.2"]),
  "ASVS 14.2.6": shown(
    ["tests/staff/directory/directory.test.ts", "a listed user has exactly the fields of the contract"],
    [userDetail, "the document number masked"],
    ["tests/staff/users/staff-views.test.ts", "(ASVS 14.2.6)"],
    ["tests/staff/kyc-review/kyc-case.test.ts", "(ASVS 14.2.6)"],
  ),
  "ASVS 14.2.7": shown(
    ["tests/tasks/jobs.test.ts", "deletes rows older than 365 days and no younger ones"],
    ["tests/auth/deletion/account-deletion.test.ts", "leaves only ids of the person in D1, SEARCH_DB, KV and R2"],
  ),
  "ASVS 14.2.8": shown([files, "camera metadata is removed from KYC images"]),
  "ASVS 16.2.1": shown(
    ["tests/auth/account/account.test.ts", "one audit row and one event (ASVS 16.2)"],
    [healthAndLog, "has one JSON line per request"],
  ),
  "ASVS 16.3.1": shown([
    "tests/auth/account/account.test.ts",
    "one LOGIN audit row and a new last_login (ASVS 7.2.4, 16.3.1)",
  ]),
  "ASVS 16.3.2": shown([userDetail, "writes one VIEW audit row per view by staff, and none for a refused view"]),
  "ASVS 16.3.3": shown([healthAndLog, "has one JSON line per request"]),
  "ASVS 16.3.4": shown([
    "tests/tasks/engine/consumer.test.ts",
    "the twelfth failure stores a dead letter with the reason and stack frames",
  ]),
  "ASVS 16.2.5": shown(
    [healthAndLog, "ASVS 16.2.5: the log"],
    ["tests/delivery/sms.test.ts", "ASVS 16.2.5: the log of a provider call"],
  ),
  "ASVS 16.4.1": shown([healthAndLog, "has one JSON line per request"]),
  "ASVS 16.4.3": { deviation: "log-export" },
  "ASVS 16.5.1": shown(
    [responses, "ASVS 16.5.1: binding failures"],
    [fuzz, "refuses an invalid request in the documented shape and changes nothing"],
  ),
  "ASVS 16.5.2": shown(["tests/faults/deadlines.test.ts", "ASVS 16.5.2: an unresponsive database"]),
  "ASVS 16.5.3": shown(
    [responses, "a database outage returns 503 with Retry-After"],
    ["tests/sessions/outages.test.ts", "sessions end even if KV fails or does not know of the end (ASVS 7.4.1)"],
  ),
  "ASVS 16.5.4": shown([fuzz, "refuses an invalid request in the documented shape and changes nothing"]),
  "ASVS 13.1.2": shown(["tests/faults/deadlines.test.ts", "an unresponsive queue delays no response"]),
  "ASVS 13.1.3": shown(["tests/delivery/failover.test.ts", "The circuit breaker"]),
  "ASVS 13.2.6": shown(["tests/tasks/webhooks.test.ts", "gets 8 attempts over 24 hours"]),
  "ASVS 13.2.2": shown([links, "is refused if the viewer is neither the owner nor staff any more"]),
  "ASVS 13.3.2": shown(["tests/events/rpc.test.ts", "refuses a caller whose binding has no props"]),
  "ASVS 13.2.4": shown(["tests/delivery/provider-settings.test.ts", "ASVS 13.2.4"]),
  "ASVS 13.2.5": shown(["tests/delivery/provider-settings.test.ts", "ASVS 13.2.4"]),
  "ASVS 13.4.1": shown([config, "exposes neither the outbox nor the example app nor the debug headers"]),
  "ASVS 13.4.2": shown([config, "production stores no code in the local outbox"]),
  "ASVS 13.4.3": shown(["tests/platform/openapi/openapi.test.ts", "only the viewer's two files are served"]),
  "ASVS 13.4.4": shown([config, "no HTTP method reveals that the development routes exist"]),
  "ASVS 13.4.5": shown([
    "tests/platform/openapi/openapi.test.ts",
    "the debug route is refused as documented outside development",
  ]),
  "ASVS 15.1.2": shown(["tests/security/source.test.ts", "ASVS 15.1.2"]),
  "ASVS 15.2.4": shown(["tests/security/source.test.ts", "ASVS 15.1.2"]),
  API2: shown(eachMutation, sessionModel),
  "MASVS-AUTH-1": shown(["tests/staff/authorization-matrix.test.ts", "The authorization matrix"]),
  "MASVS-AUTH-3": shown([
    "tests/auth/deletion/account-deletion.test.ts",
    "requires a sign-in of the last 10 minutes; a refresh does not count (ASVS 7.5.1)",
  ]),
  "MASVS-NETWORK-1": shown([responses, "HSTS over https only"]),
  "MASVS-STORAGE-2": shown(["tests/tasks/push.test.ts", "with ids and no personal data"]),
  "MASVS-PRIVACY": shown([
    "tests/auth/deletion/account-deletion.test.ts",
    "leaves only ids of the person in D1, SEARCH_DB, KV and R2",
  ]),
};
