import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";
import { callCosts } from "../scripts/operations/call-costs.ts";
import { type CallOptions, call, newIp, newPhone, readCode, type SignedIn, signUp } from "./support/client.ts";
import { useClock } from "./support/clock.ts";
import { newId } from "./support/ids.ts";
import { fakeDelivery } from "./support/internet.ts";
import { APP_URI, fakeProviders, type Name, newPerson, newVerifier } from "./support/openid.ts";
import { type Cost, costOf } from "./support/simulator/budget.ts";
import { Simulation } from "./support/simulator/simulation.ts";

useClock();
afterEach(() => vi.restoreAllMocks());

/** Advances the clock by the waiting time between two codes to one identifier. */
const waitToResend = () => vi.setSystemTime(Date.now() + 61_000);

/** Sends a code to somebody else: the first code of a day also inserts the row of the day's budget. */
const spendOnBudget = (settings: Partial<Env>) =>
  call("POST", "/api/auth/otp/request", { ip: newIp(), json: { identifier: newPhone() }, env: settings });

/** Runs a single call and returns its response and costs. */
async function measure(method: string, path: string, options: CallOptions, expected: number) {
  const simulation = new Simulation(1);
  const answer = await simulation.call(method, path, options);
  if (answer === "died") throw new Error("the call died");
  expect(answer.status, JSON.stringify(answer.body)).toBe(expected);
  const cost = costOf(simulation.log);
  await simulation.deliver(1, options.env ? { env: options.env } : {});
  return { body: answer.body, headers: answer.headers, cost };
}

/** The costs of each route in production, from sign-up to deletion. */
async function walk(): Promise<Record<string, Cost>> {
  const { env: settings, newestCode } = fakeDelivery();
  const go = (method: string, path: string, options: CallOptions, expected: number) =>
    measure(method, path, { env: settings, ...options }, expected);
  await spendOnBudget(settings);
  const ip = newIp();
  const identifier = newPhone();
  const request = await go("POST", "/api/auth/otp/request", { ip, json: { identifier } }, 200);
  const otp = newestCode(identifier);
  const wrong = String((Number(otp) + 1) % 1_000_000).padStart(6, "0");
  const guess = await go("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp: wrong } }, 400);
  const verify = await go("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp } }, 200);
  const json = { identifier, verification_token: verify.body.data.verification_token };
  const unknown = await go("POST", "/api/auth/login", { ip, json }, 404);
  const register = await go("POST", "/api/auth/register", { ip, json }, 201);
  const { access_token: token, refresh_token } = register.body.data;
  const me = await go("GET", "/api/auth/me", { token }, 200);
  const wallet = await go("GET", "/api/users/wallet", { token }, 200);
  const usage = await go("GET", "/api/users/analytics/usage-stats", { token }, 200);
  const profile = await go("GET", "/api/users/profile", { token }, 200);
  const changed = await go("PUT", "/api/users/profile", { token, json: { full_name: "Asha Gurung" } }, 200);
  const device = { device_id: "d", fcm_token: crypto.randomUUID(), device_type: "ANDROID" };
  const registered = await go("POST", "/api/auth/device", { token, json: device }, 200);
  await insertNotification(register.body.data.user_id);
  const notifications = await go("GET", "/api/users/notifications", { token }, 200);
  const [newest] = notifications.body.data.results;
  const read = await go("POST", `/api/users/notifications/${newest.id}/read`, { token }, 200);
  const soon = await go("POST", "/api/auth/refresh", { json: { refresh_token } }, 200);
  const replay = await go("POST", "/api/auth/refresh", { json: { refresh_token } }, 200);
  vi.setSystemTime(Date.now() + 3_600_000);
  const refresh = await go("POST", "/api/auth/refresh", { json: { refresh_token: soon.body.refresh } }, 200);
  const next = { token: refresh.body.access };
  const sessions = await go("GET", "/api/auth/sessions", next, 200);
  const others = await go("DELETE", "/api/auth/sessions", next, 200);
  const ending = { ...next, json: { refresh_token: refresh.body.refresh } };
  const logout = await go("POST", "/api/auth/logout", ending, 200);
  vi.setSystemTime(Date.now() + 24 * 3_600_000);
  await spendOnBudget(settings);
  const later = { ip, json: { identifier } };
  const usualRequest = await go("POST", "/api/auth/otp/request", later, 200);
  const secondCode = { identifier, otp: newestCode(identifier) };
  const usualVerify = await go("POST", "/api/auth/otp/verify", { ...later, json: secondCode }, 200);
  const again = { identifier, verification_token: usualVerify.body.data.verification_token };
  const login = await go("POST", "/api/auth/login", { ...later, json: again }, 200);
  const own = { ...later, token: login.body.data.access_token, json: {} };
  const deletion = await go("DELETE", "/api/auth/account", own, 200);
  const routes = {
    ...{ request, guess, verify, unknown, register, me, wallet, usage, profile, changed, registered },
    ...{
      notifications,
      read,
      soon,
      replay,
      refresh,
      sessions,
      others,
      logout,
      usualRequest,
      usualVerify,
      login,
      deletion,
    },
  };
  return Object.fromEntries(Object.entries(routes).map(([name, { cost }]) => [name, cost]));
}

/** The costs of each route of the Google and Apple sign-ins. */
async function walkSocialRoutes(): Promise<Record<string, Cost>> {
  const { env: settings, ...providers } = fakeProviders();
  const costs: Record<string, Cost> = {};
  const ip = newIp();
  const go = async (route: string, method: string, path: string, options: CallOptions, expected = 200) => {
    const { cost, ...answer } = await measure(method, path, { ip, env: settings, ...options }, expected);
    costs[route] = cost;
    return answer;
  };
  const person = newPerson("google", { name: "Asha Gurung", picture: "https://example.com/a.png" });
  const native = async (name: Name, who = person) => ({ json: await providers.nativeSignIn(name, who) });
  const made = await go("google/token, new", "POST", "/api/auth/google/token", await native("google"));
  await go("google/token", "POST", "/api/auth/google/token", await native("google"));
  const apple = newPerson("apple");
  await go("apple/token, new", "POST", "/api/auth/apple/token", await native("apple", apple));
  await go("apple/token", "POST", "/api/auth/apple/token", await native("apple", apple));
  const { access_token: token } = made.body.data;
  const others = await native("apple", newPerson("apple"));
  await go("apple/link", "POST", "/api/auth/apple/link", { token, ...others });
  await go("google/unlink", "DELETE", "/api/auth/google/link", { token });
  await go("google/link", "POST", "/api/auth/google/link", { token, ...(await native("google", newPerson("google"))) });

  const { verifier, challenge } = await newVerifier();
  const query = new URLSearchParams({ redirect_uri: APP_URI, code_challenge: challenge });
  const ordered = await go("login", "GET", `/api/auth/google/login?${query}`, {});
  const { pathname, search } = new URL(ordered.body.data.login_url);
  const started = await go("start", "GET", pathname + search, {}, 303);
  const cookie = started.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const consent = await providers.consent("google", started.headers.get("location") ?? "", newPerson("google"));
  const callback = `/api/auth/google/callback?${new URLSearchParams(consent)}`;
  const back = await go("callback", "GET", callback, { headers: { cookie } }, 303);
  const code = new URL(back.headers.get("location") ?? "").searchParams.get("code");
  await go("success", "POST", "/api/auth/social/success", { json: { code, code_verifier: verifier } });
  await go("error", "GET", "/api/auth/social/error", {}, 400);
  return costs;
}

/** D1 round trips of each route before its response. A callback consumes its state before it exchanges the code. */
const socialBudgets: Record<string, number> = {
  "google/token, new": 1,
  "google/token": 1,
  "apple/token, new": 2,
  "apple/token": 2,
  "apple/link": 2,
  "google/unlink": 1,
  "google/link": 1,
  login: 0,
  start: 0,
  callback: 2,
  success: 2,
  error: 0,
};

function insertNotification(userId: string) {
  return env.DB.prepare(
    "insert into notifications (id, user_id, notification_type, title, message, created_at) values (?, ?, 'WELCOME', '', '', 0)",
  )
    .bind(newId(), userId)
    .run();
}

/** Round trips of each route before its response. */
const budgets: Record<string, { d1: number; kv: number }> = {
  request: { d1: 1, kv: 0 },
  guess: { d1: 1, kv: 1 },
  verify: { d1: 1, kv: 1 },
  usualRequest: { d1: 1, kv: 0 },
  usualVerify: { d1: 1, kv: 1 },
  // A first batch only signs in, so every other outcome takes a second.
  unknown: { d1: 2, kv: 0 },
  register: { d1: 1, kv: 0 },
  login: { d1: 1, kv: 0 },
  me: { d1: 1, kv: 0 },
  wallet: { d1: 1, kv: 0 },
  usage: { d1: 1, kv: 0 },
  profile: { d1: 1, kv: 0 },
  changed: { d1: 1, kv: 0 },
  registered: { d1: 1, kv: 0 },
  notifications: { d1: 1, kv: 0 },
  read: { d1: 1, kv: 0 },
  // The hashes that outlive the account are made from its identifiers, which a first round trip reads.
  deletion: { d1: 2, kv: 0 },
  soon: { d1: 1, kv: 1 },
  refresh: { d1: 1, kv: 1 },
  // A first batch only rotates, so every other outcome takes a second.
  replay: { d1: 2, kv: 1 },
  sessions: { d1: 1, kv: 0 },
  others: { d1: 1, kv: 0 },
  logout: { d1: 1, kv: 0 },
};

/** Names of the routes in `callCosts`, by their names in the walks. */
const documentedNames: Readonly<Record<string, string>> = {
  usualRequest: "otp/request",
  usualVerify: "otp/verify",
  soon: "refresh, less than 15 minutes after the last",
  usage: "usage-stats",
};
const documentedSocialNames: Readonly<Record<string, string>> = {
  "google/token, new": "google/token, new user",
  "google/token": "google/token, known user",
  "apple/token, new": "apple/token, new user",
  "apple/token": "apple/token, known user",
  login: "google/login",
  start: "google/start",
  callback: "google/callback",
  success: "social/success, new user",
};

const renamed = (costs: Record<string, Cost>, names: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(costs).map(([name, cost]) => [names[name] ?? name, cost]));

/** The number of rows that a lookup reads depends slightly on the other rows of a table. */
const ROWS_OF_CHANCE = 10;

it("the documented cost of each route equals its measured cost", async () => {
  const social = renamed(await walkSocialRoutes(), documentedSocialNames);
  const costs = { ...social, ...renamed(await walk(), documentedNames) };
  for (const [name, { d1, kv, rowsRead, rowsWritten }] of Object.entries(callCosts)) {
    const cost = costs[name];
    expect.soft({ d1: cost?.d1, kv: cost?.kv, rowsWritten: cost?.rowsWritten }, name).toEqual({ d1, kv, rowsWritten });
    expect.soft(Math.abs((cost?.rowsRead ?? Number.NaN) - rowsRead), name).toBeLessThan(ROWS_OF_CHANCE);
  }
});

it("every route stays within its round trips and calls no queue or bucket before the response", async () => {
  const costs = await walk();
  expect(Object.keys(costs).sort()).toEqual(Object.keys(budgets).sort());
  for (const [route, { d1, kv, r2, queue }] of Object.entries(costs)) {
    expect({ d1, kv, r2, queue }, route).toEqual({ ...budgets[route], r2: 0, queue: 0 });
  }
  console.log(
    Object.entries(costs)
      .map(([route, cost]) => `${route} ${JSON.stringify(cost)}`)
      .join("\n"),
  );
});

it("a sign-in that is not the usual one takes a second round trip and no third", async () => {
  const ip = newIp();
  const user = await signUp(newPhone(), { ip });
  const go = async (route: string, json: object, expected: number, headers = {}) => {
    const { cost } = await measure("POST", `/api/auth/${route}`, { ip, json, headers }, expected);
    return cost.d1;
  };
  const change = (columns: string) =>
    env.DB.prepare(`update users set ${columns} where id = ?`).bind(user.userId).run();
  let codes = 1;
  const prove = async () => {
    vi.setSystemTime(Date.now() + 3_600_000);
    const { identifier } = user;
    await call("POST", "/api/auth/otp/request", { ip, json: { identifier } });
    const otp = await readCode(identifier, ++codes);
    const { body } = await call("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp } });
    return { identifier, verification_token: body.data.verification_token };
  };
  const trips: Record<string, number> = {};
  const key = { "Idempotency-Key": crypto.randomUUID() };
  const json = await prove();
  trips["with a key"] = await go("login", json, 200, key);
  trips["repeated with its key"] = await go("login", json, 200, key);
  await change("status = 'INACTIVE', status_reason = 'inactivity'");
  trips["to a sleeping account"] = await go("login", await prove(), 200);
  await change("phone_verified = 0");
  trips["that verifies the identifier"] = await go("login", await prove(), 200);
  await env.DB.prepare(
    `insert into sessions (id, user_id, created_at, last_used_at, counter, refresh_key_id, rotated_at, rotated_by, replays,
      idle_ttl_ms, idle_expires_at, absolute_expires_at, ip, method)
      select s.id || value, user_id, created_at, last_used_at, 0, '', created_at, '', 0, idle_ttl_ms, idle_expires_at,
        absolute_expires_at, ip, method from sessions s, json_each('[1, 2, 3]') where user_id = ? limit 6`,
  )
    .bind(user.userId)
    .run();
  trips["that ends the eleventh session"] = await go("login", await prove(), 200);
  await change("status = 'BANNED', status_reason = 'staff'");
  const banned = await prove();
  trips["to a banned account"] = await go("login", banned, 403);
  trips["registration of an account that exists"] = await go("register", banned, 409);
  expect(trips).toEqual({
    "with a key": 1,
    "repeated with its key": 2,
    "to a sleeping account": 2,
    "that verifies the identifier": 2,
    "that ends the eleventh session": 2,
    "to a banned account": 2,
    "registration of an account that exists": 2,
  });
});

it("every route of the Google and Apple sign-ins stays within its round trips", async () => {
  const costs = await walkSocialRoutes();
  expect(Object.keys(costs)).toEqual(Object.keys(socialBudgets));
  for (const [route, { d1, kv, r2, queue }] of Object.entries(costs)) {
    expect({ d1, kv, r2, queue }, route).toEqual({ d1: socialBudgets[route], kv: 0, r2: 0, queue: 0 });
  }
  console.log(
    Object.entries(costs)
      .map(([route, cost]) => `${route} ${JSON.stringify(cost)}`)
      .join("\n"),
  );
});

it("every route reads and writes as many rows for the thousandth user as for the first", async () => {
  const everyWay = async () => ({ ...(await walk()), ...(await walkSocialRoutes()) });
  const before = await everyWay();
  const statements = Array.from({ length: 1000 }, (_, i) => crowd(`crowd-${i}`, i)).flat();
  for (let at = 0; at < statements.length; at += 500) await env.DB.batch(statements.slice(at, at + 500));
  const after = await everyWay();
  for (const [route, cost] of Object.entries(after)) {
    expect(cost.rowsWritten, route).toBe(before[route]?.rowsWritten);
    // A lookup reads one more row if its key is not the last of the index; a scan would read a thousand.
    expect.soft(cost.rowsRead - (before[route]?.rowsRead ?? 0), route).toBeLessThan(10);
  }
});

/** Inserts a user with a session, a code and everything else that belongs to an account. */
function crowd(id: string, i: number): D1PreparedStatement[] {
  const phone = `+97798${String(10_000_000 + i)}`;
  return [
    env.DB.prepare(
      `insert into users (id, username, username_key, phone_number, email_verified, phone_verified, referral_code, status,
        role, social_provider, locale, date_joined, updated_at, version)
        values (?1, ?1, ?1, ?2, 0, 1, ?1, 'ACTIVE', 'user', 'PHONE', 'en', 0, 0, 1)`,
    ).bind(id, phone),
    env.DB.prepare(
      `insert into otp_challenges (cid, identifier, network, network_rank, network_class, code_hash, secret_id, created_at,
        expires_at, attempts_familiar, attempts_other) values ('0' || ?1, ?2, '', 1, 'other', '', '', 0, 0, 0, 0)`,
    ).bind(id, phone),
    env.DB.prepare(
      `insert into sessions (id, user_id, created_at, last_used_at, counter, refresh_key_id, rotated_at, rotated_by, replays,
        idle_ttl_ms, idle_expires_at, absolute_expires_at, ip, method)
        values (?1, ?1, 0, 0, 0, '', 0, '', 0, 0, 0, 0, '', 'OTP_PHONE')`,
    ).bind(id),
    env.DB.prepare(
      "insert into profiles (user_id, id, created_at, updated_at) values (?1, 'profile of ' || ?1, 0, 0)",
    ).bind(id),
    env.DB.prepare(
      `insert into kyc (user_id, id, document_type, document_number_sealed, document_number_key_id, document_number_index,
        front_document_id, status, version, changed_by, submitted_at, created_at, updated_at)
        values (?1, 'kyc of ' || ?1, '', '', '', ?1, '', 'PENDING', 1, '', 0, 0, 0)`,
    ).bind(id),
    env.DB.prepare("insert into wallets (user_id, balance_minor, currency, updated_at) values (?1, 0, 'NPR', 0)").bind(
      id,
    ),
    env.DB.prepare(
      `insert into social_accounts (issuer, subject, provider, user_id, identity_hash, linked_by, created_at)
        values ('https://accounts.google.com', ?1, 'GOOGLE', ?1, ?1, '', 0)`,
    ).bind(id),
    env.DB.prepare(
      "insert into social_proofs (proof_hash, created_at, expires_at, is_burned) values ('proof of ' || ?1, 0, 0, 0)",
    ).bind(id),
    env.DB.prepare("insert into points (user_id, current_points, total_points, updated_at) values (?1, 0, 0, 0)").bind(
      id,
    ),
  ];
}

const HISTORY = 500;

/** Inserts the history of several years: codes and ended sessions, the latest more than a day ago. */
async function insertOldHistory({ identifier, userId }: SignedIn): Promise<void> {
  const minute = 60_000;
  const dayAgo = Date.now() - 25 * 60 * minute;
  const statements = Array.from({ length: HISTORY }, (_, i) => {
    const [at, id] = [dayAgo - i * 10 * minute, crypto.randomUUID()];
    const consumed = i % 2 === 0;
    return [
      env.DB.prepare(
        `insert into otp_challenges (cid, identifier, network, network_rank, network_class, code_hash, secret_id, created_at,
          expires_at, attempts_familiar, attempts_other, charged_by, consumed_by, consumed_at)
          values (printf('%012x', ?5) || ?1, ?2, ?3, 1, ?4, '', '', ?5, ?6, 0, 1, ?1, ?7, ?8)`,
      ).bind(
        id,
        identifier,
        `192.0.${i % 250}.0/24`,
        i % 3 === 0 ? "other" : "familiar",
        at,
        at + 5 * minute,
        consumed ? id : null,
        consumed ? at : null,
      ),
      env.DB.prepare(
        `insert into sessions (id, user_id, created_at, last_used_at, counter, refresh_key_id, rotated_at, rotated_by, replays,
          idle_ttl_ms, idle_expires_at, absolute_expires_at, revoked_at, revoked_reason, revoked_by, ip, user_agent, method)
          values (?1, ?2, ?3, ?3, 0, '', ?3, ?1, 0, ?4, ?3 + ?4, ?3 + ?4, ?3 + 1, 'logout', ?1, '', ?1, 'OTP_PHONE')`,
      ).bind(id, userId, at, 60 * 24 * 60 * minute),
    ];
  }).flat();
  for (let at = 0; at < statements.length; at += 500) await env.DB.batch(statements.slice(at, at + 500));
}

/** The costs of each route for an existing user on a new network. */
async function measureReturningUser({ identifier }: SignedIn): Promise<Record<string, Cost>> {
  const ip = newIp();
  const request = await measure("POST", "/api/auth/otp/request", { ip, json: { identifier } }, 200);
  const otp = await readCode(identifier, 2);
  const wrong = String((Number(otp) + 1) % 1_000_000).padStart(6, "0");
  const guess = await measure("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp: wrong } }, 400);
  const verify = await measure("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp } }, 200);
  const json = { identifier, verification_token: verify.body.data.verification_token };
  const headers = { "user-agent": "a device not seen before" };
  const login = await measure("POST", "/api/auth/login", { ip, json, headers }, 200);
  const { access_token: token, refresh_token } = login.body.data;
  const me = await measure("GET", "/api/auth/me", { token }, 200);
  const refresh = await measure("POST", "/api/auth/refresh", { json: { refresh_token } }, 200);
  const sessions = await measure("GET", "/api/auth/sessions", { token }, 200);
  const others = await measure("DELETE", "/api/auth/sessions", { token }, 200);
  const last = { token, json: { refresh_token: refresh.body.refresh } };
  const logout = await measure("POST", "/api/auth/logout", last, 200);
  const routes = { request, guess, verify, login, me, refresh, sessions, others, logout };
  return Object.fromEntries(Object.entries(routes).map(([name, { cost }]) => [name, cost]));
}

it("every route reads and writes as many rows for a user with a long history as for a new one", async () => {
  const fresh = await signUp(newPhone(), { ip: newIp() });
  const old = await signUp(newPhone(), { ip: newIp() });
  await insertOldHistory(old);
  waitToResend();
  const before = await measureReturningUser(fresh);
  const after = await measureReturningUser(old);
  const growth = Object.fromEntries(
    Object.entries(after).map(([route, { rowsRead, rowsWritten }]) => [
      route,
      { read: rowsRead - (before[route]?.rowsRead ?? 0), written: rowsWritten - (before[route]?.rowsWritten ?? 0) },
    ]),
  );
  console.log(JSON.stringify(growth));
  expect(await env.DB.prepare("select count(*) as n from sessions where user_id = ?").bind(old.userId).first("n")).toBe(
    HISTORY + 2,
  );
  for (const [route, { read, written }] of Object.entries(growth)) {
    expect(written, route).toBe(0);
    // Only the devices of the latest twenty sessions are read; the whole history would be hundreds.
    expect.soft(read, route).toBeLessThan(30);
  }
});

it("a code request makes the same statements and calls for a known, an unknown and a banned identifier (ASVS 6.3.8)", async () => {
  const known = await signUp(newPhone(), { ip: newIp() });
  const banned = await signUp(newPhone(), { ip: newIp() });
  await env.DB.prepare("update users set status = 'BANNED', status_reason = 'staff' where id = ?")
    .bind(banned.userId)
    .run();
  waitToResend();
  const shapes = [];
  for (const identifier of [known.identifier, newPhone(), banned.identifier]) {
    const simulation = new Simulation(1);
    const answer = await simulation.call("POST", "/api/auth/otp/request", { ip: newIp(), json: { identifier } });
    expect(answer).toMatchObject({ status: 200 });
    shapes.push(
      simulation.log.map(({ binding, operation, detail, rowsWritten, beforeResponse }) => ({
        binding,
        operation,
        detail: binding === "D1" ? detail : [],
        // After the response, an SMS to a number without an account is also counted towards the hour.
        rowsWritten: beforeResponse ? rowsWritten : undefined,
      })),
    );
  }
  expect(shapes[1]).toEqual(shapes[0]);
  expect(shapes[2]).toEqual(shapes[0]);
  expect((await call("GET", "/api/auth/me", { token: banned.access })).status).toBe(401);
});
