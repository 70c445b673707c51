import { vi } from "vitest";
import { newPhone, type SignedIn, testEnv } from "../../support/client.ts";
import { newId } from "../../support/ids.ts";
import { addPasskey } from "../../support/passkeys.ts";
import { type Flow, flow, traceless } from "../flow-table.ts";
import { expectEnded, newUser, signInAgain, someStaff, sql } from "../people.ts";

type Act = { method: string; path: (user: SignedIn) => string; json?: object; success?: number; role?: "admin" };

/** Creates a flow for a staff action on a user. */
const act = (
  name: string,
  { method, path, json, success = 200, role }: Act,
  more: Partial<Flow> & { ends?: true } = {},
) =>
  flow(
    name,
    async () => {
      const [actor, user] = [await someStaff(role ?? "staff"), await newUser()];
      const options = { token: actor.access, ...(json ? { json } : {}) };
      return {
        scope: { userIds: [user.userId], identifiers: [user.identifier] },
        request: { method, path: path(user), options },
        success,
        ...(more.ends ? { onSuccess: () => expectEnded(user), afterwards: () => expectEnded(user) } : {}),
      };
    },
    more,
  );

const person = ({ userId }: SignedIn) => `/api/users/${userId}`;
const under = (part: string) => (user: SignedIn) => `${person(user)}/${part}`;
const reason = "Asked by phone";

const create = flow("POST users", async () => {
  const [actor, identifier] = [await someStaff(), newPhone()];
  const json = { identifier, full_name: "Asha Rai" };
  return {
    scope: { identifiers: [identifier] },
    request: { method: "POST", path: "/api/users", options: { token: actor.access, json } },
    success: 201,
    // A repeated call reports that the account exists.
    repeated: [409],
  };
});

/** A refusal whose count is stored after the response; a count that is not stored is lost. */
const refused: Flow = {
  name: "GET auth/me, refused and counted",
  changesNothing: true,
  isAlone: true,
  open: async () => ({
    env: { REFUSAL_FLUSH_MS: "1" } as unknown as Partial<Env>,
    prepare: async () => {
      // The isolate stores its counts again.
      vi.setSystemTime(Date.now() + 1000);
      return { scope: {}, request: { method: "GET", path: "/api/auth/me", options: {} }, success: 401 };
    },
  }),
};

/** Each response of these acts shows the person and leaves a view row. */
const showsPerson = { mayRepeat: /^audit VIEW user/ };

/** The previous number is notified of the change. */
const changeIdentifier = flow(
  "PATCH users/{id} of an identifier",
  async () => {
    const [actor, user, phone_number] = [await someStaff(), await newUser(), newPhone()];
    await signInAgain(user);
    const json = { phone_number, reason };
    return {
      scope: { userIds: [user.userId], identifiers: [user.identifier, phone_number] },
      request: { method: "PATCH", path: person(user), options: { token: actor.access, json } },
      onSuccess: () => expectEnded(user),
      afterwards: () => expectEnded(user),
    };
  },
  showsPerson,
);

/** The repetition finds no passkey, and resets nothing. */
const resetPasskeys = flow(
  "POST users/{id}/passkey-reset",
  async () => {
    const [actor, user] = [await someStaff(), await newUser()];
    await addPasskey(user);
    return {
      scope: { userIds: [user.userId], identifiers: [user.identifier] },
      request: {
        method: "POST",
        path: under("passkey-reset")(user),
        options: { token: actor.access, json: { reason } },
      },
      onSuccess: () => expectEnded(user),
      afterwards: () => expectEnded(user),
    };
  },
  showsPerson,
);

const unlock = flow(
  "POST users/{id}/unlock",
  async () => {
    const [actor, user] = [await someStaff(), await newUser()];
    await sql(
      `insert into otp_network_guards (identifier, network, failures, lock_count, locked_until, last_guess_at)
      values (?, '10.9.9.0/24', '[]', 1, ?, ?)`,
      user.identifier,
      Date.now() + 600_000,
      Date.now(),
    );
    return {
      scope: { userIds: [user.userId], identifiers: [user.identifier] },
      request: { method: "POST", path: under("unlock")(user), options: { token: actor.access, json: { reason } } },
    };
  },
  showsPerson,
);

const readReport = flow("GET users/{id}/analytics-report", async () => {
  const [actor, user] = [await someStaff(), await newUser()];
  await sql(
    "insert into analytics_reports (user_id, report, created_at, expires_at) values (?, '{}', ?, ?)",
    user.userId,
    Date.now(),
    Date.now() + 3_600_000,
  );
  const path = under("analytics-report")(user);
  return { scope: { userIds: [user.userId] }, request: { method: "GET", path, options: { token: actor.access } } };
});

const list = (query: string) =>
  flow(`GET users?${query}`, async () => {
    const actor = await someStaff();
    return { scope: {}, request: { method: "GET", path: `/api/users?${query}`, options: { token: actor.access } } };
  });

/** A search with so many matches that it stops before all users were checked. */
const longSearch: Flow = {
  ...list("search=zzcrowd&page_size=5"),
  name: "GET users by a part that thousands have",
  async open() {
    await fillSearch();
    return list("search=zzcrowd&page_size=5").open();
  },
};

async function fillSearch(): Promise<void> {
  const numbers =
    "(with recursive n(value) as (select 1 union all select value + 1 from n where value < 2600) select value from n)";
  const text = "char(10) || char(10) || 'zzcrowd' || value";
  await testEnv.SEARCH_DB.batch([
    testEnv.SEARCH_DB.prepare(
      `insert or ignore into search_entries (sort_key, user_id, version, text, phone_number, status_bucket, written_by, removed_at)
        select value, '0-crowd-' || value, 1, ${text}, '', 0, 'crowd', null from ${numbers}`,
    ),
    testEnv.SEARCH_DB.prepare(
      "insert into user_search (rowid, text) select sort_key, text from search_entries where written_by = 'crowd'",
    ),
  ]);
}

/** Reads that concern no user. */
const read = (path: string, role?: "admin") =>
  flow(`GET ${path}`, async () => {
    const actor = await someStaff(role ?? "staff");
    return { scope: {}, request: { method: "GET", path: `/api/${path}`, options: { token: actor.access } } };
  });

const replay = flow("POST staff/dead-letters", async () => {
  const [actor, user] = [await someStaff("admin"), await newUser()];
  const id = newId();
  await sql(
    `insert into dead_letters (id, queue, event_id, type, user_id, payload, reason, attempts, created_at)
      values (?1, 'tasks', ?1, 'analytics_report.requested', ?2, json_object('user_id', ?2), 'gone', 1, ?3)`,
    id,
    user.userId,
    Date.now(),
  );
  const json = { action: "REPLAY", ids: [id], reason };
  return {
    scope: { userIds: [user.userId] },
    request: { method: "POST", path: "/api/staff/dead-letters", options: { token: actor.access, json } },
  };
});

export const staffFlows = [
  replay,
  traceless(read("staff/members", "admin")),
  traceless(read("staff/dead-letters", "admin")),
  traceless(read("staff/jobs", "admin")),
  traceless(read(`staff/audit-logs?actor_id=${crypto.randomUUID()}`, "admin")),
  traceless(read("staff/overview")),
  traceless(read("staff/delivery")),
  ...[
    list("status=ACTIVE&page_size=5"),
    list("expand=summary&page_size=5"),
    list("search=userx&expand=summary"),
    list("search=userx"),
    list("search=gurung&status=BANNED"),
    longSearch,
  ].map(traceless),
  create,
  act("GET users/{id}", { method: "GET", path: person }, { mayRepeat: /^audit VIEW/ }),
  act(
    "GET users/{id} masked",
    { method: "GET", path: (user) => `${person(user)}?mask=true` },
    { mayRepeat: /^audit VIEW/ },
  ),
  act(
    "POST users/{id}/reveal",
    { method: "POST", path: under("reveal"), json: { fields: ["phone_number"] } },
    { mayRepeat: /^audit VIEW/ },
  ),
  refused,
  traceless(act("GET users/{id}/access", { method: "GET", path: under("access") })),
  // Each call is a note of its own.
  act(
    "POST users/{id}/notes",
    { method: "POST", path: under("notes"), json: { text: reason }, success: 201 },
    { mayRepeat: /^audit CREATE/ },
  ),
  act(
    "PUT users/{id}",
    { method: "PUT", path: person, json: { full_name: "Asha Rai", address: "Pokhara" } },
    showsPerson,
  ),
  act("PATCH users/{id}", { method: "PATCH", path: person, json: { address: "Pokhara" } }, showsPerson),
  changeIdentifier,
  act(
    "POST users/{id}/status BANNED",
    { method: "POST", path: under("status"), json: { status: "BANNED", reason } },
    { ends: true, ...showsPerson },
  ),
  act(
    "PUT users/{id}/role",
    { method: "PUT", path: under("role"), json: { role: "staff", reason }, role: "admin" },
    { ends: true, ...showsPerson },
  ),
  unlock,
  resetPasskeys,
  traceless(act("GET users/{id}/sessions", { method: "GET", path: under("sessions") })),
  act("DELETE users/{id}/sessions", { method: "DELETE", path: under("sessions") }, { ends: true }),
  act(
    "POST users/{id}/analytics-report",
    { method: "POST", path: under("analytics-report"), success: 202 },
    // Each call requests a new report, which replaces the previous one.
    { mayRepeat: /^event analytics_report/ },
  ),
  traceless(readReport),
  act(
    "GET users/{id}/audit-logs",
    { method: "GET", path: under("audit-logs") },
    { mayRepeat: /^audit VIEW audit_log/ },
  ),
];
