import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { readArguments } from "./arguments.ts";
import { localBase } from "./operations/local-server.ts";
import { drawPng } from "./seed/drawing.ts";
import { findTraces } from "./traces.ts";

const { operands, refuse } = readArguments({
  name: "walkthrough",
  about: "Calls a running npm run dev as a client app would, from the first code to signing out, and prints each step.",
  operands: "[URL]",
  most: 1,
  notes: [`URL is the server's address (default: ${localBase()}).`],
});
const base = (operands[0] ?? localBase()).replace(/\/$/, "");
if (!URL.canParse(base)) refuse(`${base} is not a URL.`);
/** The Worker that stands for the platform's other services, on the next port. */
const otherServices = `http://localhost:${Number(new URL(base).port) + 1}`;

type Json = { data?: Record<string, unknown>; error?: { code: string }; messages?: { code: string }[] };

async function call(method: string, path: string, body?: object, accessToken?: string) {
  const isForm = body instanceof FormData;
  const response = await fetch(base + path, {
    method,
    headers: {
      accept: "application/json",
      ...(body && !isForm ? { "content-type": "application/json" } : {}),
      ...(accessToken ? { authorization: `Bearer ${accessToken}` } : {}),
    },
    ...(body ? { body: isForm ? body : JSON.stringify(body) } : {}),
  });
  return { status: response.status, json: (await response.json()) as Json };
}

type Answer = Awaited<ReturnType<typeof call>>;

function step(title: string, answer: Answer, expected: number, code?: string): Record<string, unknown> {
  const isRight = answer.status === expected && (code === undefined || answer.json.error?.code === code);
  console.log(
    `${isRight ? "✓" : "✗"} ${title} → ${answer.status}${answer.json.error ? ` ${answer.json.error.code}` : ""}`,
  );
  if (isRight) return answer.json.data ?? {};
  console.error(JSON.stringify(answer.json, null, 2));
  console.error(`expected ${expected} ${code ?? ""}`);
  process.exit(1);
}

/** Exits with an error if the two differ. */
function expectSame(what: string, actual: unknown, expected: unknown): void {
  const isSame = isDeepStrictEqual(actual, expected);
  console.log(`${isSame ? "✓" : "✗"} ${what}: ${JSON.stringify(actual)}`);
  if (isSame) return;
  console.error(`expected ${JSON.stringify(expected)}`);
  process.exit(1);
}

async function readCode(identifier: string): Promise<string> {
  for (let i = 0; i < 50; i++) {
    const { json } = await call("GET", `/dev/outbox?to=${encodeURIComponent(identifier)}`);
    const code = json.messages?.[0]?.code;
    if (code) return code;
    await sleep(100);
  }
  throw new Error(`The outbox has no code for ${identifier} after 5 seconds.`);
}

async function health(): Promise<void> {
  await call("GET", "/api/health").catch(() => {
    console.error(`No server responds at ${base}. Start it with: npm run dev`);
    process.exit(1);
  });
}

/** Sends the event as another service: by RPC through `/events`, or by the queue through `/queue`. */
async function send(path: "/events" | "/queue", userId: unknown, type: string, data: object, id: string) {
  const event = { id, type, source: "rentals", user_id: userId, occurred_at: new Date().toISOString(), data };
  const response = await fetch(otherServices + path, { method: "POST", body: JSON.stringify(event) });
  return { status: response.status, json: { data: (await response.json()) as Record<string, unknown> } };
}

/** Polls the wallet until it has this balance. */
async function waitForBalance(balance: string, accessToken: string): Promise<Answer> {
  for (let i = 0; i < 100; i++) {
    const answer = await call("GET", "/api/users/wallet", undefined, accessToken);
    if (answer.json.data?.balance === balance) return answer;
    await sleep(100);
  }
  throw new Error(`The balance is not ${balance} after 10 seconds.`);
}

/** A square PNG image of one color. */
const picture = (size: number, rgb: [number, number, number]) =>
  new File([new Uint8Array(drawPng(size, size, rgb))], "document.png", { type: "image/png" });

await health();
// An unused number, so that the walkthrough can be repeated.
const identifier = `984${String(Date.now()).slice(-7)}`;
console.log(`Signing up ${identifier} at ${base}`);

step("request a code", await call("POST", "/api/auth/otp/request", { identifier }), 200);
const otp = await readCode(identifier);
console.log(`✓ read the code in the outbox → ${otp}`);
const wrong = otp === "000000" ? "000001" : "000000";
step("try a wrong code", await call("POST", "/api/auth/otp/verify", { identifier, otp: wrong }), 400, "invalid_otp");
const proof = step("verify the code", await call("POST", "/api/auth/otp/verify", { identifier, otp }), 200);
step("verify it again", await call("POST", "/api/auth/otp/verify", { identifier, otp }), 400, "invalid_otp");
const verification_token = proof.verification_token;
const early = { identifier, verification_token };
step("log in without an account", await call("POST", "/api/auth/login", early), 404, "user_not_found");
const account = step("register", await call("POST", "/api/auth/register", early), 201);
const access = String(account.access_token);
const first = account.refresh_token;
const me = step("read my account", await call("GET", "/api/auth/me", undefined, access), 200);
console.log(`  ${JSON.stringify(me)}`);

step(
  "request another code too soon",
  await call("POST", "/api/auth/otp/request", { identifier }),
  429,
  "rate_limit_exceeded",
);
const whole = { full_name: "Asha Gurung", date_of_birth: "1999-12-31", address: "Lakeside, Pokhara" };
const profile = step("complete my profile", await call("PUT", "/api/users/profile", whole, access), 200);
expectSame("the profile is complete", profile.is_profile_complete, true);

const rental_id = crypto.randomUUID();
const started = ["rental.started", { rental_id, station_id: "thamel-1" }, `${rental_id}-start`] as const;
const reported = step(
  "another service reports a rental by RPC",
  await send("/events", account.user_id, ...started),
  200,
);
expectSame("the event is accepted", reported, { accepted: true, duplicate: false });
const again = step("the service repeats the report", await send("/events", account.user_id, ...started), 200);
expectSame("the repetition is a duplicate", again, { accepted: true, duplicate: true });
const returned = ["rental.returned", { rental_id, on_time: true, amount: "75.50" }, `${rental_id}-return`] as const;
step("another service reports the return", await send("/events", account.user_id, ...returned), 200);
for (const [type, amount, wallet_delta] of [
  ["TOPUP", "500.00", "500.00"],
  ["RENTAL", "75.50", "-75.50"],
] as const) {
  const id = crypto.randomUUID();
  const data = { transaction_id: id, transaction_type: type, amount, wallet_delta, currency: "NPR" };
  step(
    `another service reports a ${type} by queue`,
    await send("/queue", account.user_id, "transaction.succeeded", data, id),
    202,
  );
}
const wallet = step("read my wallet", await waitForBalance("424.50", access), 200);
expectSame("my points", wallet.points, { current_points: 50, total_points: 50 });
const usage = step("read my usage", await call("GET", "/api/users/analytics/usage-stats", undefined, access), 200);
expectSame(
  "my totals",
  [usage.total_rentals, usage.timely_returns, usage.late_returns, usage.total_spent],
  [1, 1, 0, "575.50"],
);

const documents = new FormData();
documents.append("document_number", "12-34-56-78901");
documents.append("document_front", picture(64, [180, 40, 40]));
documents.append("document_back", picture(64, [40, 40, 180]));
const kyc = step("submit my documents", await call("POST", "/api/users/kyc", documents, access), 201);
const opened = await fetch(String(kyc.document_front_url));
const size = (await opened.arrayBuffer()).byteLength;
console.log(
  `${opened.status === 200 ? "✓" : "✗"} open the front document by its link → ${opened.status} ${opened.headers.get("content-type")}, ${size} bytes`,
);
if (opened.status !== 200) process.exit(1);
const forged = String(kyc.document_front_url).replace("sig=", "sig=x");
step("open it by a forged link", await call("GET", forged.slice(base.length), undefined), 404, "not_found");
const page = new FormData();
page.append("document_number", "12-34-56-78901");
page.append("document_front", new File(["<script>alert(1)</script>"], "id.jpg", { type: "image/jpeg" }));
step("submit an HTML file named id.jpg", await call("POST", "/api/users/kyc", page, access), 400, "validation_error");
const status = step("read my KYC status", await call("GET", "/api/users/kyc/status", undefined, access), 200);
console.log(`  ${status.status}`);
const second = step("refresh", await call("POST", "/api/auth/refresh", { refresh_token: first }), 200);
const lost = step(
  "refresh again, as after a lost response",
  await call("POST", "/api/auth/refresh", { refresh_token: first }),
  200,
);
console.log(`  same refresh token: ${second.refresh === lost.refresh}`);
const third = step(
  "refresh with the new one",
  await call("POST", "/api/auth/refresh", { refresh_token: second.refresh }),
  200,
);
const newest = String(third.access);
const personal = [identifier, whole.full_name, whole.address, String(me.username), String(me.referral_code)];
const before = new Set((await findTraces(personal)).map(({ where }) => where));
expectSame("D1 contains my data", before.has("D1 users") && before.has("D1 profiles"), true);
step("delete my account", await call("DELETE", "/api/auth/account", {}, newest), 200);
step("read my account", await call("GET", "/api/auth/me", undefined, newest), 401, "token_not_valid");
step("refresh", await call("POST", "/api/auth/refresh", { refresh_token: third.refresh }), 401, "token_not_valid");
let traces = await findTraces([...personal, `kyc/${account.user_id}`]);
for (let i = 0; i < 10 && traces.length > 0; i++) {
  await sleep(1000);
  traces = await findTraces([...personal, `kyc/${account.user_id}`]);
}
expectSame("personal data left in D1, KV and R2", traces, []);
const idTraces = (await findTraces([String(account.user_id)])).map(({ where }) => where);
// The id alone stays: in the audit log and the records that keep a restore from undoing the deletion; and in the outbox,
// until the events of the deletion are sent.
expectSame("tables that still contain my id", [...new Set(idTraces)].filter((where) => where !== "D1 outbox").sort(), [
  "D1 audit_logs",
  "SEARCH_DB deleted_accounts",
  "SEARCH_DB search_entries",
]);

console.log("\nReplaying a stolen refresh token, and signing out");
const other = `985${String(Date.now()).slice(-7)}`;
step("request a code for another number", await call("POST", "/api/auth/otp/request", { identifier: other }), 200);
const otherProof = step(
  "verify it",
  await call("POST", "/api/auth/otp/verify", { identifier: other, otp: await readCode(other) }),
  200,
);
const victim = step(
  "register",
  await call("POST", "/api/auth/register", { identifier: other, verification_token: otherProof.verification_token }),
  201,
);
const stolen = victim.refresh_token;
const own = step("refresh", await call("POST", "/api/auth/refresh", { refresh_token: stolen }), 200);
const owned = step("refresh once more", await call("POST", "/api/auth/refresh", { refresh_token: own.refresh }), 200);
step(
  "the old token is refused",
  await call("POST", "/api/auth/refresh", { refresh_token: stolen }),
  401,
  "token_not_valid",
);
step(
  "the session has ended",
  await call("GET", "/api/auth/me", undefined, String(owned.access)),
  401,
  "token_not_valid",
);
const visitorNumber = `986${String(Date.now()).slice(-7)}`;
step("request a code", await call("POST", "/api/auth/otp/request", { identifier: visitorNumber }), 200);
const lastProof = step(
  "verify it",
  await call("POST", "/api/auth/otp/verify", { identifier: visitorNumber, otp: await readCode(visitorNumber) }),
  200,
);
const visitor = step(
  "register",
  await call("POST", "/api/auth/register", {
    identifier: visitorNumber,
    verification_token: lastProof.verification_token,
  }),
  201,
);
const pass = String(visitor.access_token);
step("log out", await call("POST", "/api/auth/logout", { refresh_token: visitor.refresh_token }, pass), 200);
step("read my account", await call("GET", "/api/auth/me", undefined, pass), 401, "token_not_valid");

console.log("\nChanging an e-mail address, exporting, and undoing a hostile change");
/** Requests a code for the identifier and verifies it. */
async function verify(owner: string, purpose?: "CHANGE"): Promise<{ token: unknown; resendIn: number }> {
  const request = { identifier: owner, ...(purpose ? { purpose } : {}) };
  const sent = step(`request a code for ${owner}`, await call("POST", "/api/auth/otp/request", request), 200);
  const attempt = { identifier: owner, otp: await readCode(owner) };
  const { verification_token: token } = step("verify it", await call("POST", "/api/auth/otp/verify", attempt), 200);
  return { token, resendIn: Number(sent.resend_in) };
}
const ownNumber = `981${String(Date.now()).slice(-7)}`;
const firstProof = await verify(ownNumber);
const provedAt = Date.now();
const owner = step(
  "register",
  await call("POST", "/api/auth/register", { identifier: ownNumber, verification_token: firstProof.token }),
  201,
);
const session = String(owner.access_token);
/** Verifies the address and sets it as the caller's. */
async function setEmail(email: string): Promise<Record<string, unknown>> {
  const { token: verification_token } = await verify(email, "CHANGE");
  const change = await call("PUT", "/api/auth/identity/email", { email, verification_token }, session);
  return step(`set ${email}`, change, 200);
}
const mark = Date.now();
await setEmail(`asha.${mark}@example.com`);
const changed = await setEmail(`asha.rai.${mark}@example.com`);
expectSame("my verified address", [changed.email, changed.email_verified], [`asha.rai.${mark}@example.com`, true]);
const mine = step("export my data", await call("GET", "/api/users/export", undefined, session), 200);
const { identity: exportedIdentity, audit: actions } = mine as { identity: Record<string, unknown>; audit: object[] };
expectSame(
  "the export has my address and number",
  [exportedIdentity.email, exportedIdentity.phone_number],
  [`asha.rai.${mark}@example.com`, `+977${ownNumber}`],
);
expectSame("the export has what I did", actions.length > 2, true);
const others = [other, victim.user_id, visitorNumber, visitor.user_id, account.user_id, identifier].map(String);
expectSame(
  "data of others in the export",
  others.filter((each) => JSON.stringify(mine).includes(each)),
  [],
);
const hostileNumber = `982${String(mark).slice(-7)}`;
const { token: hostile } = await verify(hostileNumber, "CHANGE");
step(
  "somebody with this session replaces my number",
  await call("PUT", "/api/auth/identity/phone", { phone_number: hostileNumber, verification_token: hostile }, session),
  200,
);
const waitMs = provedAt + firstProof.resendIn * 1000 - Date.now();
console.log(`  the next code for my number may be requested in ${Math.max(0, Math.ceil(waitMs / 1000))} seconds`);
if (waitMs > 0) await sleep(waitMs);
const { token: ownToken } = await verify(ownNumber);
const ownAgain = { identifier: ownNumber, verification_token: ownToken };
step("nobody else may take it", await call("POST", "/api/auth/register", ownAgain), 409, "identifier_replaced");
const disputed = step("dispute the change", await call("POST", "/api/auth/identity/dispute", ownAgain), 200);
expectSame("the account is as it was", disputed.outcome, "RESTORED");
step(
  "the hostile session has ended",
  await call("GET", "/api/auth/identity", undefined, session),
  401,
  "token_not_valid",
);
console.log("\nAll steps passed.");
