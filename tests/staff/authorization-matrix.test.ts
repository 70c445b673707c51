import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Authenticator } from "../support/authenticator.ts";
import {
  type Answer,
  type CallOptions,
  call,
  newEmail,
  newIp,
  newPhone,
  type SignedIn,
  testEnv,
  verify,
} from "../support/client.ts";
import { rows, run } from "../support/database.ts";
import { file, jpeg } from "../support/documents.ts";
import { freshToken, setIdentifier } from "../support/identity-calls.ts";
import { newId } from "../support/ids.ts";
import { newNumber, newStaff, newUser, promote, sessionOf, submit } from "../support/kyc.ts";
import {
  COLUMNS,
  type Column,
  cellOf,
  type Expectation,
  expectations,
  tokenWith,
  WAITING_LETTER,
} from "../support/matrix.ts";
import { fetchDocument, findDeviations, type OpenApiDocument } from "../support/openapi.ts";
import { fakeProviders } from "../support/openid.ts";
import { addPasskey, ownOptions, signInOptions } from "../support/passkeys.ts";
import { differing, takeSnapshot, untilQuiet } from "../support/snapshot.ts";
import { newAdmin } from "../support/staff.ts";

let openApi: OpenApiDocument;
let providers: Partial<Env>;
const people: Partial<Record<Column, SignedIn>> = {};
let target: SignedIn;
/** The user that calls with 401 or 403 refer to: each would change data of this user if it were permitted. */
let victim: SignedIn;

/** A user with a valid session whose account has this status. */
async function standing(status: string): Promise<SignedIn> {
  const user = await newUser();
  await run("update users set status = ?, status_reason = 'staff' where id = ?", status, user.userId);
  return user;
}

/** A member of staff with a valid token, whom the statement changes afterwards. */
async function changedSince(maker: () => Promise<SignedIn>, statement: string): Promise<SignedIn> {
  const member = await maker();
  expect((await call("GET", "/api/users?page_size=1", { token: member.access, ip: newIp() })).status).toBe(200);
  await run(statement, member.userId);
  return member;
}

const passkeyRequired = { STAFF_PASSKEYS: "required" } as unknown as Partial<Env>;

const makers: Partial<Record<Column, () => Promise<SignedIn>>> = {
  "a user": newUser,
  "an inactive user": () => standing("INACTIVE"),
  "a banned user": () => standing("BANNED"),
  staff: newStaff,
  "an admin": newAdmin,
  "a user naming another": newUser,
  "staff demoted since their last call": () => changedSince(newStaff, "update users set role = 'user' where id = ?"),
  "an admin demoted to staff since their last call": () =>
    changedSince(newAdmin, "update users set role = 'staff' where id = ?"),
  "staff without the passkey that they need": newStaff,
  "staff whose session ended since their last call": () =>
    changedSince(newStaff, "update sessions set revoked_at = 1, revoked_reason = 'logout' where user_id = ?"),
};

beforeAll(async () => {
  openApi = await fetchDocument();
  // Real keys and tokens, with Google and Apple configured as in production.
  const { ISSUER, ENVIRONMENT } = testEnv;
  providers = { ...fakeProviders().env, ISSUER, ENVIRONMENT };
  target = await newUser();
  victim = await newUser();
  await submit(victim);
  await run(
    "insert into otp_network_guards (identifier, network, failures, lock_count, locked_until, last_guess_at) values (?, 'n', '[]', 1, 9e12, 0)",
    victim.identifier,
  );
  await run(
    "insert into analytics_reports (user_id, report, created_at, expires_at) values (?, '{}', 0, 9000000000000)",
    victim.userId,
  );
  await run(
    `insert into dead_letters (id, queue, event_id, type, payload, reason, attempts, created_at)
      values ('waits', 'tasks', 'waits', ?, '{}', 'gone', 1, 1)`,
    WAITING_LETTER,
  );
  for (const [column, make] of Object.entries(makers)) people[column as Column] = await make();
});
afterAll(() => vi.restoreAllMocks());

async function tokenOf(column: Column, isLast: boolean): Promise<{ token?: string; holder?: SignedIn }> {
  const expiredAt = Math.floor(Date.now() / 1000) - 60;
  const user = people["a user"] as SignedIn;
  if (column === "no token") return {};
  if (column === "a garbage token") return { token: "garbage.of.mine" };
  if (column === "an expired token") return { token: await tokenWith(user, { iat: expiredAt - 900, exp: expiredAt }) };
  if (column === "a token of a foreign audience") return { token: await tokenWith(user, { aud: "another-service" }) };
  const holder = isLast ? await makers[column]?.() : people[column];
  return holder ? { token: holder.access, holder } : {};
}

/** Inserts a notification of the user. */
async function insertNotification(userId: string): Promise<string> {
  const id = newId();
  await run(
    "insert into notifications (id, user_id, notification_type, title, message, created_at) values (?, ?, 'WELCOME', '', '', 0)",
    id,
    userId,
  );
  return id;
}

/** The path with the ids of this user filled in. */
async function pathOf(template: string, user: SignedIn, query = ""): Promise<string> {
  const id = template.includes("sessions/{id}")
    ? sessionOf(user)
    : template.includes("notifications/{id}")
      ? await insertNotification(user.userId)
      : user.userId;
  return `${template.replace("{id}", id)}${query && `?${query}`}`;
}

const routes = () =>
  Object.entries(openApi.paths).flatMap(([path, operations]) =>
    Object.keys(operations)
      .filter((method) => ["get", "post", "put", "patch", "delete"].includes(method))
      .map((method) => `${method.toUpperCase()} ${path}`),
  );

const targetsRecord = async () =>
  JSON.stringify([
    await rows("select status, role, username, phone_number, email, version from users where id = ?", target.userId),
    await rows("select * from profiles where user_id = ?", target.userId),
    await rows("select id, revoked_at from sessions where user_id = ? order by id", target.userId),
    await rows("select read_at from notifications where user_id = ? and read_at is not null", target.userId),
  ]);

describe("The authorization matrix (ASVS 8.2.1, 8.2.2)", () => {
  test("the matrix covers exactly the routes of the OpenAPI document", () => {
    expect(routes().toSorted()).toEqual(Object.keys(expectations).toSorted());
  });

  test("the matrix agrees with the document about every guarded route", () => {
    for (const route of routes()) {
      const [method = "", path = ""] = route.split(" ");
      const operation = openApi.paths[path]?.[method.toLowerCase()];
      const isGuarded = expectations[route]?.guard !== "anyone";
      expect(Boolean(operation?.security?.length), `${route} in the document`).toBe(isGuarded);
      if (isGuarded) expect(operation?.responses, route).toHaveProperty("401");
      const isForStaff = ["staff", "admin"].includes(expectations[route]?.guard ?? "");
      if (isForStaff) expect(operation?.responses[403]?.["x-error-codes"], route).toContain("permission_denied");
    }
  });

  /** A call of one cell of the matrix. */
  interface Cell {
    route: string;
    method: string;
    path: string;
    options: CallOptions;
    status: number;
    code?: string | undefined;
    expectation: Expectation;
    holder?: SignedIn | undefined;
  }

  async function prepareCell(route: string, column: Column): Promise<Cell> {
    const expectation = expectations[route] as Expectation;
    const [method = "", template = ""] = route.split(" ");
    const { token, holder } = await tokenOf(column, expectation.isLast === true);
    const [status, code] = cellOf(expectation, column);
    const isDenied = status === 401 || status === 403;
    // A denied call to a user route targets the caller's own data, so that only the refusal protects it.
    const owner = expectation.guard === "user" && holder ? holder : victim;
    let path = await pathOf(template, isDenied ? owner : target, expectation.query);
    const options: CallOptions = {
      ip: newIp(),
      env: column === "staff without the passkey that they need" ? { ...providers, ...passkeyRequired } : providers,
      ...(isDenied ? (expectation.attempt ?? expectation.options) : expectation.options)?.(),
      ...(token ? { token } : {}),
    };
    if (column === "a user naming another") {
      const theirs = { user_id: target.userId, id: target.userId, sub: target.userId, session_id: sessionOf(target) };
      path += `${path.includes("?") ? "&" : "?"}${new URLSearchParams(theirs)}`;
      if (options.json) options.json = { ...theirs, ...options.json };
    }
    return { route, method, path, options, status, code, expectation, holder };
  }

  function checkAnswer({ route, method, path, status, code }: Cell, answer: Answer): void {
    expect([route, answer.status, ...(code ? [answer.body.error?.code] : [])], JSON.stringify(answer.body)).toEqual([
      route,
      status,
      ...(code ? [code] : []),
    ]);
    if (status === 401) expect(answer.headers.get("www-authenticate"), route).toMatch(/^Bearer/);
    if (typeof answer.body === "object" && !/\/(openapi\.json|\.well-known\/.*)$/.test(route)) {
      expect(findDeviations(openApi, { method, path, status, body: answer.body }), route).toEqual([]);
    }
  }

  const send = ({ method, path, options }: Cell) => call(method, path, options);

  /** Sends the calls, which together may change no row; if one does, sends each again to name it. */
  async function sendRefused(cells: readonly Cell[]): Promise<void> {
    await untilQuiet();
    const before = await takeSnapshot();
    for (const cell of cells) checkAnswer(cell, await send(cell));
    const changed = differing(before, await takeSnapshot());
    const culprits: string[] = [];
    for (const cell of changed.length > 0 ? cells : []) {
      const previous = await takeSnapshot();
      await send(cell);
      if (differing(previous, await takeSnapshot()).length > 0) culprits.push(cell.route);
    }
    expect({ changed, culprits }, "refused calls change nothing").toEqual({ changed: [], culprits: [] });
  }

  let asserted = 0;
  test.each(COLUMNS)("every route answers %s as the matrix says", async (column) => {
    const cells: Cell[] = [];
    for (const route of routes()) {
      if (cellOf(expectations[route] as Expectation, column)[0] >= 400) cells.push(await prepareCell(route, column));
    }
    await sendRefused(cells);
    asserted += cells.length;
    for (const route of routes()) {
      if (cells.some((cell) => cell.route === route)) continue;
      const cell = await prepareCell(route, column);
      const { expectation, holder, status } = cell;
      const isHarmless = expectation.guard === "anyone" || holder === people["a user"];
      const record = isHarmless || column === "a user naming another" ? await targetsRecord() : "";
      const answer = await send(cell);
      checkAnswer(cell, answer);
      asserted += 1;
      if (record) expect(await targetsRecord(), `${route} does not change the other user`).toBe(record);
      if (column === "a user naming another" && status < 300 && expectation.guard === "user") {
        expect(JSON.stringify(answer.body), `${route} shows nothing of the other user`).not.toContain(target.userId);
      }
    }
  });

  const changesAccount = (route: string) =>
    /^(PUT|PATCH|POST|DELETE) .*\/users\/\{id\}/.test(route) && !/\/(analytics-report|reveal)$/.test(route);

  test.each([
    ["staff", "another staff member's", newStaff],
    ["staff", "an admin's", newAdmin],
    ["staff", "their own", undefined],
    ["an admin", "their own", undefined],
  ] as const)(
    "every route by which %s would change %s account refuses and changes nothing",
    async (column, _, make) => {
      const caller = people[column] as SignedIn;
      const holder = (await make?.()) ?? caller;
      await run(
        "insert into otp_network_guards (identifier, network, failures, lock_count, locked_until, last_guess_at) values (?, 'n', '[]', 1, 9e12, 0)",
        holder.identifier,
      );
      await submit(holder);
      const changes = routes().filter(changesAccount);
      expect(changes.length).toBeGreaterThanOrEqual(7);
      const cells: Cell[] = [];
      for (const route of changes) {
        const expectation = expectations[route] as Expectation;
        const [method = "", template = ""] = route.split(" ");
        const options = { ...(expectation.attempt ?? expectation.options)?.(), ip: newIp(), token: caller.access };
        const path = await pathOf(template, holder);
        cells.push({ route, method, path, options, status: 403, code: "permission_denied", expectation });
      }
      await sendRefused(cells);
    },
  );

  test("every cell of the matrix was asserted", () => {
    expect(asserted).toBe(Object.keys(expectations).length * COLUMNS.length);
  });
});

/** Fields that no client may set, with recognizable values. */
const poison = {
  id: crypto.randomUUID(),
  user_id: crypto.randomUUID(),
  is_staff: true,
  is_superuser: true,
  is_active: true,
  is_admin: true,
  balance: "9999.00",
  balance_minor: 999_900,
  wallet_balance: { balance: "9999.00", currency: "USD" },
  points: { current_points: 9999, total_points: 9999 },
  current_points: 9999,
  version: 999_999,
  email_verified: true,
  phone_verified: true,
  kyc_status: "APPROVED",
  is_profile_complete: true,
  referral_code: "REFPOISON",
  date_joined: "2001-01-01T00:00:00.000Z",
  last_login: "2001-01-01T00:00:00.000Z",
  created_at: "2001-01-01T00:00:00.000Z",
  updated_at: "2001-01-01T00:00:00.000Z",
  social_provider: "GOOGLE",
  status_reason: "inactivity",
  verified_at: "2001-01-01T00:00:00.000Z",
  counter: 999,
  ["__proto__"]: { role: "admin" },
  constructor: { prototype: { role: "admin" } },
};
const POISONED_JOIN = Date.parse(poison.date_joined);
/** Sent with the request unless the route itself has a field of that name. */
const standings = { status: "BANNED", role: "admin" };

/** Columns of a user that no route may set from a request. */
async function protectedOf(userId: string) {
  const [row] = await rows(
    `select u.id, u.status, u.role, u.email_verified, u.phone_verified, u.referral_code, u.date_joined, u.social_provider,
      u.status_reason, u.kyc_status, w.balance_minor, w.currency, p.current_points, p.total_points
      from users u join wallets w on w.user_id = u.id join points p on p.user_id = u.id where u.id = ?`,
    userId,
  );
  return row;
}

interface Write {
  /** Sends the call with the extra fields and returns the users that it may affect. */
  send: (extra: Record<string, unknown>, prepared: Prepared) => Promise<{ answer: Answer; userId?: string }>;
  /** Fields of `standings` that the route has itself. */
  own?: (keyof typeof standings)[];
  /** The expected status; 200 if absent. */
  status?: number;
  /** Protected columns that the call may legitimately change. */
  changes?: Record<string, unknown>;
}
interface Prepared {
  user: SignedIn;
  admin: SignedIn;
}

const as = (method: string, path: string, json: Record<string, unknown>, status = 200): Write => ({
  status,
  send: async (extra, { user }) => ({
    answer: await call(method, path, { token: user.access, json: { ...extra, ...json }, ip: newIp(), env: providers }),
  }),
});
const on = (method: string, rest: string, json: Record<string, unknown>, more: Partial<Write> = {}): Write => ({
  send: async (extra, { user, admin }) => ({
    answer: await call(method, `/api/users/${user.userId}${rest}`, {
      token: admin.access,
      json: { ...extra, ...json },
    }),
  }),
  ...more,
});
const enter =
  (step: "register" | "login"): Write["send"] =>
  async (extra, { user }) => {
    const identifier = step === "login" ? user.identifier : newPhone();
    const ip = newIp();
    await run("delete from otp_challenges where identifier = ?", identifier);
    const verification_token = await verify(identifier, { ip });
    const answer = await call("POST", `/api/auth/${step}`, { ip, json: { ...extra, identifier, verification_token } });
    return { answer, userId: answer.body.data?.user_id };
  };

const writes: Record<string, Write> = {
  "POST /api/auth/otp/request": {
    send: async (extra, { user }) => ({
      answer: await call("POST", "/api/auth/otp/request", {
        ip: newIp(),
        json: { ...extra, identifier: user.identifier },
      }),
    }),
  },
  "POST /console/session": as(
    "POST",
    "/console/session",
    { identifier: newPhone(), verification_token: "forged" },
    400,
  ),
  "POST /api/auth/otp/verify": as("POST", "/api/auth/otp/verify", { identifier: newPhone(), otp: "123456" }, 400),
  "POST /api/auth/register": { send: enter("register"), status: 201 },
  "POST /api/auth/login": { send: enter("login") },
  "POST /api/auth/refresh": {
    send: async (extra, { user }) => ({
      answer: await call("POST", "/api/auth/refresh", { json: { ...extra, refresh_token: user.refresh } }),
    }),
  },
  "POST /api/auth/logout": {
    send: async (extra, { user }) => ({
      answer: await call("POST", "/api/auth/logout", {
        token: user.access,
        json: { ...extra, refresh_token: user.refresh },
      }),
    }),
  },
  "POST /api/auth/social/success": as(
    "POST",
    "/api/auth/social/success",
    { code: "x", code_verifier: "x".repeat(43) },
    400,
  ),
  "POST /api/auth/apple/notifications": as("POST", "/api/auth/apple/notifications", { payload: "x" }, 400),
  "POST /api/auth/google/token": as("POST", "/api/auth/google/token", { id_token: "x" }, 400),
  "POST /api/auth/apple/token": as(
    "POST",
    "/api/auth/apple/token",
    { id_token: "x", nonce: "x".repeat(8), authorization_code: "x" },
    400,
  ),
  "POST /api/auth/google/link": as("POST", "/api/auth/google/link", { id_token: "x" }, 400),
  "POST /api/auth/apple/link": as(
    "POST",
    "/api/auth/apple/link",
    { id_token: "x", nonce: "x".repeat(8), authorization_code: "x" },
    400,
  ),
  "DELETE /api/auth/google/link": as("DELETE", "/api/auth/google/link", {}, 404),
  "DELETE /api/auth/apple/link": as("DELETE", "/api/auth/apple/link", {}, 404),
  "POST /api/auth/apple/callback": {
    status: 303,
    send: async (extra) => {
      const form = Object.fromEntries(Object.entries(extra).map(([name, value]) => [name, String(value)]));
      return {
        answer: await call("POST", "/api/auth/apple/callback", { form: { ...form, state: "x" }, env: providers }),
      };
    },
  },
  "POST /api/auth/proof": {
    send: async (extra, { user }) => ({
      answer: await call("POST", "/api/auth/proof", {
        token: user.access,
        json: { ...extra, verification_token: await verify(user.identifier, { ip: newIp() }) },
      }),
    }),
  },
  "PATCH /api/auth/identity": as("PATCH", "/api/auth/identity", { locale: "ne" }),
  "PUT /api/auth/identity/email": {
    send: async (extra, { user }) => {
      const email = newEmail();
      const json = { ...extra, email, verification_token: await verify(email, { ip: newIp() }) };
      return { answer: await call("PUT", "/api/auth/identity/email", { token: user.access, json }) };
    },
    changes: { email_verified: 1 },
  },
  "PUT /api/auth/identity/phone": {
    send: async (extra, { user }) => {
      const phone_number = newPhone();
      const json = { ...extra, phone_number, verification_token: await verify(phone_number, { ip: newIp() }) };
      return { answer: await call("PUT", "/api/auth/identity/phone", { token: user.access, json }) };
    },
  },
  "POST /api/auth/identity/dispute": {
    send: async (extra, { user }) => {
      await setIdentifier(user.access, newPhone());
      const verification_token = await freshToken(user.identifier);
      const json = { ...extra, identifier: user.identifier, verification_token };
      return { answer: await call("POST", "/api/auth/identity/dispute", { ip: newIp(), json }) };
    },
  },
  "POST /api/auth/passkey/login": {
    send: async (extra, { user }) => {
      const { authenticator } = await addPasskey(user);
      const json = { ...extra, credential: await authenticator.assert(await signInOptions()) };
      const answer = await call("POST", "/api/auth/passkey/login", { ip: newIp(), json });
      return { answer, userId: answer.body.data?.user_id };
    },
  },
  "POST /api/auth/passkeys/options": as("POST", "/api/auth/passkeys/options", { purpose: "REGISTER" }),
  "POST /api/auth/passkeys": {
    status: 201,
    send: async (extra, { user }) => {
      const authenticator = await Authenticator.create();
      const json = { ...extra, credential: await authenticator.register(await ownOptions(user, "REGISTER")) };
      return { answer: await call("POST", "/api/auth/passkeys", { token: user.access, json }) };
    },
  },
  "PATCH /api/auth/passkeys/{id}": {
    send: async (extra, { user }) => {
      const { passkey } = await addPasskey(user);
      const json = { ...extra, name: "Laptop" };
      return { answer: await call("PATCH", `/api/auth/passkeys/${passkey.id}`, { token: user.access, json }) };
    },
  },
  // The body names another user's account: that account must remain, and the caller's own must go.
  "DELETE /api/auth/account": {
    send: async (extra) => {
      const own = await newUser();
      const answer = await call("DELETE", "/api/auth/account", { token: own.access, json: extra });
      expect(await rows("select 1 from users where id = ?", own.userId)).toEqual([]);
      return { answer };
    },
  },
  "POST /api/auth/device": as("POST", "/api/auth/device", {
    device_id: "d",
    fcm_token: "f".repeat(20) + Math.random(),
    device_type: "WEB",
  }),
  "PUT /api/users/profile": as("PUT", "/api/users/profile", { address: "Patan" }),
  "PATCH /api/users/profile": as("PATCH", "/api/users/profile", { address: "Thimi" }),
  "POST /api/users/kyc": {
    status: 201,
    send: async (extra, { user }) => {
      // The maximum number of parts of a submission.
      const some = Object.entries({ ...standings, ...extra }).slice(0, 20);
      const fields = Object.fromEntries(some.map(([name, value]) => [name, String(value)]));
      const multipart = { ...fields, document_number: newNumber(), document_front: file(jpeg()) };
      return { answer: await call("POST", "/api/users/kyc", { token: user.access, multipart }) };
    },
    changes: { kyc_status: "PENDING" },
  },
  "PATCH /api/users/kyc": {
    send: async (extra, { user }) => {
      await submit(user);
      return {
        answer: await call("PATCH", "/api/users/kyc", {
          token: user.access,
          json: { ...extra, document_type: "PASSPORT" },
        }),
      };
    },
    changes: { kyc_status: "PENDING" },
  },
  "PATCH /api/users/{id}/kyc": {
    send: async ({ version: _, ...extra }, { user, admin }) => {
      await submit(user);
      const json = { ...extra, status: "REJECTED", rejection_reason: "blurred" };
      return { answer: await call("PATCH", `/api/users/${user.userId}/kyc`, { token: admin.access, json }) };
    },
    own: ["status"],
    changes: { kyc_status: "REJECTED" },
  },
  "POST /api/users": {
    status: 201,
    send: async (extra, { admin }) => {
      const answer = await call("POST", "/api/users", {
        token: admin.access,
        json: { ...extra, identifier: newPhone() },
      });
      return { answer, userId: answer.body.data?.id };
    },
  },
  "PUT /api/users/{id}": on("PUT", "", { address: "Patan" }),
  "PATCH /api/users/{id}": on("PATCH", "", { address: "Patan" }),
  "POST /api/users/{id}/status": on(
    "POST",
    "/status",
    { status: "INACTIVE", reason: "x" },
    {
      own: ["status"],
      changes: { status: "INACTIVE", status_reason: "staff" },
    },
  ),
  "PUT /api/users/{id}/role": on(
    "PUT",
    "/role",
    { role: "staff", reason: "x" },
    { own: ["role"], changes: { role: "staff" } },
  ),
  "POST /api/users/{id}/unlock": on("POST", "/unlock", { reason: "x" }),
  "POST /api/staff/dead-letters": {
    send: async (extra, { admin }) => ({
      answer: await call("POST", "/api/staff/dead-letters", {
        token: admin.access,
        json: { ...extra, action: "REPLAY", ids: ["none"], reason: "x" },
      }),
    }),
  },
  "POST /api/users/{id}/reveal": on("POST", "/reveal", { fields: ["address"] }),
  "POST /api/users/{id}/notes": on("POST", "/notes", { text: "x" }, { status: 201 }),
  "POST /api/users/{id}/passkey-reset": on("POST", "/passkey-reset", { reason: "x" }),
};

describe("Mass assignment (ASVS 15.3.3)", () => {
  test("extra fields are sent to every route that has a body", () => {
    const taking = routes().filter((route) => {
      const [method = "", path = ""] = route.split(" ");
      return openApi.paths[path]?.[method.toLowerCase()]?.requestBody;
    });
    const tried = Object.keys(writes);
    expect(taking.filter((route) => !tried.includes(route))).toEqual([]);
  });

  test.each(Object.entries(writes))(
    "extra fields sent to %s change nothing",
    async (_route, { send, own = [], changes = {}, status = 200 }) => {
      const [user, admin, bystander] = [await newUser(), await newStaff(), await newUser()];
      await promote(admin, "admin");
      const named = { ...poison, ...standings, id: bystander.userId, user_id: bystander.userId };
      const extra = Object.fromEntries(Object.entries(named).filter(([name]) => !(own as string[]).includes(name)));
      const before = await Promise.all([user, admin, bystander].map(({ userId }) => protectedOf(userId)));
      const { answer, userId } = await send(extra, { user, admin });
      expect(answer.status, JSON.stringify(answer.body)).toBe(status);
      const after = await Promise.all([user, admin, bystander].map(({ userId }) => protectedOf(userId)));
      expect(after).toEqual([{ ...before[0], ...changes }, before[1], before[2]]);
      if (userId && userId !== user.userId) {
        expect(await protectedOf(userId)).toMatchObject({
          id: userId,
          status: "ACTIVE",
          role: "user",
          balance_minor: 0,
          currency: "NPR",
          email_verified: 0,
          kyc_status: "NOT_SUBMITTED",
          social_provider: "PHONE",
        });
      }
      const subject = userId ?? user.userId;
      const [row] = await rows<{ version: number; date_joined: number; referral_code: string; current_points: number }>(
        "select * from users u join points p on p.user_id = u.id where u.id = ?",
        subject,
      );
      expect(row?.version).toBeLessThan(100);
      expect(row?.date_joined).not.toBe(POISONED_JOIN);
      expect(row?.referral_code).not.toBe(poison.referral_code);
      expect([0, 50]).toContain(row?.current_points);
      expect(await rows("select 1 from users where id in (?, ?)", poison.id, poison.user_id)).toEqual([]);
    },
  );
});
