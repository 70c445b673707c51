import { setTimeout as sleep } from "node:timers/promises";
import { drawPng } from "../seed/drawing.ts";
import { findTraces } from "../traces.ts";
import { type Caller, expectSame, step } from "./caller.ts";

/** A square PNG image of one color. */
const picture = (size: number, rgb: [number, number, number]) =>
  new File([new Uint8Array(drawPng(size, size, rgb))], "document.png", { type: "image/png" });

/** Signs up, rents, submits documents, deletes the account, and finds what is left. @returns what identified it. */
export async function liveAndLeave({ base, call, readCode, send, waitForBalance }: Caller): Promise<string[]> {
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
  expectSame(
    "tables that still contain my id",
    [...new Set(idTraces)].filter((where) => where !== "D1 outbox").sort(),
    ["D1 audit_logs", "SEARCH_DB deleted_accounts", "SEARCH_DB search_entries"],
  );
  return [String(account.user_id), identifier];
}
