import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { type CallOptions, call, newIp, newPhone, type SignedIn, verify } from "../support/client.ts";
import { count, run } from "../support/database.ts";
import { newId } from "../support/ids.ts";
import { newStaff, newUser, promote } from "../support/kyc.ts";
import type { FetchHandler } from "../support/simulator/simulation.ts";
import {
  answered,
  CLIENTS,
  distinct,
  headersOf,
  noServerErrors,
  type RaceSetting,
  simulationOf,
  successes,
  Verdict,
} from "./race.ts";

type Call = { method: string; path: string; options?: CallOptions };

/**
 * Wraps the handler and collects, in `late`, the ids of the calls that started after the response to the ending act.
 */
export function recordLateCalls(
  handler: FetchHandler | undefined,
  isAct: (path: string, method: string) => boolean,
  real: FetchHandler,
) {
  let isAnswered = false;
  const late = new Set<string>();
  const watched: FetchHandler = async (request, bindings, context) => {
    const turn = Number(request.headers.get("x-turns"));
    // Delays the call by a number of simulated steps.
    for (let i = 0; i < turn; i++) await bindings.KV.get("turn");
    const { pathname } = new URL(request.url);
    const id = request.headers.get("x-call") ?? "";
    if (isAnswered) late.add(id);
    const response = await (handler ?? real)(request, bindings, context);
    if (isAct(pathname, request.method)) isAnswered = true;
    return response;
  };
  return { watched, late };
}

/** An act that ends a user's rights at once. */
export interface Ending {
  name: string;
  /** The role of the user whose rights end. */
  role: "user" | "staff";
  act: (userId: string) => Call;
}

const reason = "complaints";
export const endings: Ending[] = [
  {
    name: "a ban",
    role: "user",
    act: (id) => ({ method: "POST", path: `/api/users/${id}/status`, options: { json: { status: "BANNED", reason } } }),
  },
  {
    name: "INACTIVE",
    role: "user",
    act: (id) => ({
      method: "POST",
      path: `/api/users/${id}/status`,
      options: { json: { status: "INACTIVE", reason } },
    }),
  },
  {
    name: "a demotion",
    role: "staff",
    act: (id) => ({ method: "PUT", path: `/api/users/${id}/role`, options: { json: { role: "user", reason } } }),
  },
  {
    name: "a promotion",
    role: "user",
    act: (id) => ({ method: "PUT", path: `/api/users/${id}/role`, options: { json: { role: "staff", reason } } }),
  },
  {
    name: "the end of all sessions",
    role: "user",
    act: (id) => ({ method: "DELETE", path: `/api/users/${id}/sessions` }),
  },
];

/** R8: requests around the act: none that starts after its response succeeds, refreshes and writes included. */
export const requestsAroundEnding =
  (ending: Ending, real: FetchHandler) =>
  async (setting: RaceSetting): Promise<Verdict> => {
    const verdict = new Verdict();
    const [admin, victim, target] = [await newStaff(), await newUser(), await newUser()];
    await promote(admin, "admin");
    if (ending.role === "staff") await promote(victim);
    const { method, path, options } = ending.act(victim.userId);
    const { watched, late } = recordLateCalls(setting.handler, (at, how) => at === path && how === method, real);
    const simulation = simulationOf({ ...setting, handler: watched });
    const shared = headersOf(setting);
    const kinds: Call[] = [
      { method: "GET", path: "/api/auth/me", options: { token: victim.access } },
      { method: "POST", path: "/api/auth/refresh", options: { json: { refresh_token: victim.refresh } } },
      { method: "PATCH", path: "/api/users/profile", options: { token: victim.access, json: { address: "Patan" } } },
      ...(ending.role === "staff"
        ? [
            { method: "GET", path: `/api/users/${target.userId}`, options: { token: victim.access } },
            { method: "GET", path: "/api/users?page_size=1", options: { token: victim.access } },
            {
              method: "PATCH",
              path: `/api/users/${target.userId}`,
              options: { token: victim.access, json: { address: "Patan" } },
            },
          ]
        : []),
    ];
    const around = Array.from({ length: CLIENTS }, (_, i) => {
      const kind = kinds[i % kinds.length] as Call;
      const headers = { ...shared, "x-call": String(i), "x-turns": String(i % 12) };
      return { ...kind, options: { ...kind.options, headers } };
    });
    const act = { method, path, options: { ...options, token: admin.access, headers: { "x-turns": "4" } } };
    const results = await simulation.race([...around.slice(0, CLIENTS / 2), act, ...around.slice(CLIENTS / 2)]);
    noServerErrors(verdict, results);
    const actAnswer = answered(results.slice(CLIENTS / 2, CLIENTS / 2 + 1))[0];
    verdict.equal("status of the act", actAnswer?.status, 200);
    const others = [...results.slice(0, CLIENTS / 2), ...results.slice(CLIENTS / 2 + 1)];
    const accepted = others.filter((each, i) => each !== "died" && each.status < 300 && late.has(String(i)));
    verdict.equal("accepted of what started after the answer", accepted.length, 0);
    if (!setting.isCalm) verdict.equal("some started after the answer", late.size > 0, true);
    const refreshed = successes(others).flatMap(({ body }) => (body.refresh ? [body] : []));
    const after = await simulation.race(
      refreshed.slice(0, 20).flatMap(({ access, refresh }) => [
        { method: "POST", path: "/api/auth/refresh", options: { json: { refresh_token: refresh } } },
        { method: "GET", path: "/api/auth/me", options: { token: access } },
      ]),
    );
    verdict.equal("accepted afterwards of what was refreshed before", successes(after).length, 0);
    return verdict;
  };

/**
 * R12: concurrent bans and unbans end in one state, with one audit row and one event per change, in a consistent order.
 */
export async function bansAndUnbans(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const [staff, colleague, user] = [await newStaff(), await newStaff(), await newUser()];
  const [before] = (
    await env.DB.prepare("select version from users where id = ?").bind(user.userId).all<{ version: number }>()
  ).results;
  const simulation = simulationOf(setting);
  const results = await simulation.race(
    Array.from({ length: CLIENTS * 2 }, (_, i) => ({
      method: "POST",
      path: `/api/users/${user.userId}/status`,
      options: {
        token: (i % 3 ? staff : colleague).access,
        json: { status: i % 2 ? "ACTIVE" : "BANNED", reason },
        headers: headersOf(setting),
      },
    })),
  );
  noServerErrors(verdict, results);
  verdict.equal("successes", successes(results).length, CLIENTS * 2);
  const { results: audit } = await env.DB.prepare(
    `select json_extract(old_values, '$.status') as old, json_extract(new_values, '$.status') as new from audit_logs
      where user_id = ? and action = 'UPDATE' and entity_type = 'user'`,
  )
    .bind(user.userId)
    .all<{ old: string; new: string }>();
  const row = await env.DB.prepare("select status, status_reason, version from users where id = ?")
    .bind(user.userId)
    .first<{ status: string; status_reason: string | null; version: number }>();
  // The rows have no order of their own. The changes form one chain from ACTIVE to the present state if and only if an
  // unban follows each ban, except possibly the last.
  const changes = (from: string, to: string) => audit.filter((each) => each.old === from && each.new === to).length;
  verdict.equal(
    "each change starts from the result of the previous one",
    changes("ACTIVE", "BANNED") - changes("BANNED", "ACTIVE"),
    row?.status === "BANNED" ? 1 : 0,
  );
  if (!setting.handler) verdict.equal("its reason", row?.status_reason, row?.status === "BANNED" ? "staff" : null);
  verdict.equal("versions", Number(row?.version) - Number(before?.version), audit.length);
  verdict.equal(
    "events",
    await count("from recorded_events where user_id = ? and type = 'user.updated'", user.userId),
    audit.length,
  );
  if (!setting.handler) {
    verdict.equal("notifications", await count("from notifications where user_id = ?", user.userId), audit.length);
  }
  const live = await count("from sessions where user_id = ? and revoked_at is null", user.userId);
  if (audit.length > 0) verdict.equal("live sessions", live, 0);
  return verdict;
}

/** R12: two admins demote or ban each other in many calls at once: one admin is left. */
export async function adminsAgainstEachOther(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const admins = [await newStaff(), await newStaff()] as const;
  for (const each of admins) await promote(each, "admin");
  const own = JSON.stringify(admins.map(({ userId }) => userId));
  const { results: rest } = await env.DB.prepare(
    "select id from users where role = 'admin' and id not in (select value from json_each(?))",
  )
    .bind(own)
    .all<{ id: string }>();
  const others = JSON.stringify(rest.map(({ id }) => id));
  await run("update users set role = 'user' where id in (select value from json_each(?))", others);
  try {
    const simulation = simulationOf(setting);
    const results = await simulation.race(
      Array.from({ length: CLIENTS }, (_, i) => {
        const [actor, target] = i % 2 ? admins : [admins[1], admins[0]];
        const options = { token: actor.access, headers: headersOf(setting) };
        return i % 4 < 2
          ? {
              method: "PUT",
              path: `/api/users/${target.userId}/role`,
              options: { ...options, json: { role: "user", reason } },
            }
          : {
              method: "POST",
              path: `/api/users/${target.userId}/status`,
              options: { ...options, json: { status: "BANNED", reason } },
            };
      }),
    );
    noServerErrors(verdict, results);
    const left = await count(
      "from users where id in (select value from json_each(?)) and role = 'admin' and status = 'ACTIVE'",
      own,
    );
    verdict.equal("admins left", left, 1);
  } finally {
    await run("update users set role = 'admin' where id in (select value from json_each(?))", others);
    await run("update users set role = 'user' where id in (select value from json_each(?))", own);
  }
  return verdict;
}

/** R9: the owner of an account that staff created signs in many times at once with two codes: one bonus. */
export async function firstSignIns(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const staff = await newStaff();
  const identifier = newPhone();
  const made = await call("POST", "/api/users", { token: staff.access, json: { identifier } });
  const { id } = made.body.data;
  const ips = [newIp(), newIp()];
  const tokens: string[] = [];
  for (const ip of ips) {
    tokens.push(await verify(identifier, { ip }));
    // The next code may be sent after a minute.
    vi.setSystemTime(Date.now() + 61_000);
  }
  const simulation = simulationOf(setting);
  const results = await simulation.race(
    Array.from({ length: CLIENTS }, (_, i) => ({
      method: "POST",
      path: "/api/auth/login",
      options: {
        ip: ips[i % 2] ?? "",
        json: { identifier, verification_token: tokens[i % 2] },
        headers: headersOf(setting, `login-${i % 2}`),
      },
    })),
  );
  noServerErrors(verdict, results);
  verdict.equal("different users", distinct(successes(results).map(({ body }) => body.data.user_id)), 1);
  verdict.equal("the account", successes(results)[0]?.body.data.user_id, id);
  const sessions = distinct(successes(results).map(({ body }) => body.data.refresh_token));
  verdict.atMost("different sessions", sessions, 2);
  verdict.equal("bonuses", await count("from point_transactions where user_id = ?", id), 1);
  const points = await env.DB.prepare("select current_points from points where user_id = ?")
    .bind(id)
    .first("current_points");
  verdict.equal("points", points, 50);
  const verified = await env.DB.prepare("select phone_verified from users where id = ?")
    .bind(id)
    .first("phone_verified");
  verdict.equal("verified", verified, 1);
  if (!setting.handler) {
    verdict.equal(
      "audit rows of a sign-in",
      await count("from audit_logs where user_id = ? and action = 'LOGIN'", id),
      sessions,
    );
  }
  return verdict;
}

/** R10: staff create the same account many times at once: one account is created. */
export async function creations(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const staff = await newStaff();
  const identifier = newPhone();
  const simulation = simulationOf(setting);
  const results = await simulation.race(
    Array.from({ length: CLIENTS }, (_, i) => ({
      method: "POST",
      path: "/api/users",
      options: {
        token: staff.access,
        json: { identifier: i % 2 ? identifier : identifier.slice(4) },
        headers: headersOf(setting),
      },
    })),
  );
  noServerErrors(verdict, results);
  verdict.equal("made", successes(results).length, 1);
  const conflicts = answered(results).filter(({ body }) => body.error?.code === "user_already_exists");
  verdict.equal("responses that the account exists", conflicts.length, CLIENTS - 1);
  const id = successes(results)[0]?.body.data.id;
  verdict.equal("users", await count("from users where phone_number = ?", identifier), 1);
  verdict.equal("audit rows", await count("from audit_logs where user_id = ? and action = 'CREATE'", id), 1);
  verdict.equal("wallets", await count("from wallets where user_id = ?", id), 1);
  return verdict;
}

/** R10: many calls at once give one username and one number to five people: each has one owner. */
export async function claims(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const staff = await newStaff();
  const people: SignedIn[] = [];
  for (let i = 0; i < 5; i++) people.push(await newUser());
  const [username, phone_number] = [`taken${crypto.randomUUID().slice(0, 8)}`, newPhone()];
  const simulation = simulationOf(setting);
  const results = await simulation.race(
    Array.from({ length: CLIENTS }, (_, i) => ({
      method: "PATCH",
      path: `/api/users/${people[i % 5]?.userId}`,
      options: {
        token: staff.access,
        json: { ...(i % 2 ? { username: i % 3 ? username : username.toUpperCase() } : { phone_number }), reason },
        headers: headersOf(setting),
      },
    })),
  );
  noServerErrors(verdict, results);
  verdict.equal("owners of the name", await count("from users where username_key = ?", username), 1);
  verdict.equal("owners of the number", await count("from users where phone_number = ?", phone_number), 1);
  const codes = answered(results).flatMap(({ body }) => (body.error ? [body.error.code] : []));
  verdict.equal(
    "other refusals",
    codes.filter((code) => !["username_taken", "user_already_exists"].includes(code)).length,
    0,
  );
  return verdict;
}

/** The naive variant of setting names and numbers: checks whether the value is free, then writes. */
export const naiveClaim: FetchHandler = async (request, bindings) => {
  const id = new URL(request.url).pathname.split("/").at(-1);
  const body = (await request.json()) as { username?: string; phone_number?: string };
  const [column, value] = body.username
    ? ["username_key", body.username.toLowerCase()]
    : ["phone_number", body.phone_number];
  const code = body.username ? "username_taken" : "user_already_exists";
  const taken = await bindings.DB.prepare(`select 1 from users where ${column} = ? and id <> ?`)
    .bind(value, id)
    .first();
  if (taken) return Response.json({ success: false, error: { code } }, { status: 409 });
  try {
    await bindings.DB.prepare(`update users set ${column} = ? where id = ?`).bind(value, id).run();
  } catch {
    return Response.json({ success: false, error: { code: "internal_error" } }, { status: 500 });
  }
  return Response.json({ success: true, data: {} });
};

/** The naive variant of creating an account: checks whether it exists, then inserts. */
export const naiveCreation: FetchHandler = async (request, bindings) => {
  const { identifier } = (await request.json()) as { identifier: string };
  const phone = identifier.startsWith("+") ? identifier : `+977${identifier}`;
  const taken = await bindings.DB.prepare("select 1 from users where phone_number = ?").bind(phone).first();
  if (taken) return Response.json({ success: false, error: { code: "user_already_exists" } }, { status: 409 });
  const id = newId();
  const insert = (sql: string, ...values: string[]) =>
    bindings.DB.prepare(sql)
      .bind(...values)
      .run();
  try {
    await insert(
      `insert into users (id, username, username_key, phone_number, email_verified, phone_verified, referral_code, status,
        role, social_provider, locale, date_joined, updated_at, version)
        values (?1, ?1, ?1, ?2, 0, 0, ?1, 'ACTIVE', 'user', 'PHONE', 'en', 0, 0, 1)`,
      id,
      phone,
    );
  } catch {
    return Response.json({ success: false, error: { code: "internal_error" } }, { status: 500 });
  }
  await insert("insert into wallets (user_id, balance_minor, currency, updated_at) values (?1, 0, 'NPR', 0)", id);
  await insert(
    `insert into audit_logs (id, user_id, action, entity_type, entity_id, by_staff, created_at)
      values (?1, ?1, 'CREATE', 'user', ?1, 1, 0)`,
    id,
  );
  return Response.json({ success: true, data: { id } }, { status: 201 });
};
