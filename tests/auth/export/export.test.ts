import { describe, expect, it } from "vitest";
import { type CallOptions, call, newEmail, newIp, type SignedIn, signUp } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { countOf, rows, run } from "../../support/database.ts";
import { setIdentifier, signInAgain } from "../../support/identity-calls.ts";
import { documented, newUser, promote, submit } from "../../support/kyc.ts";
import { addPasskey, age } from "../../support/passkeys.ts";
import { costOf } from "../../support/simulator/budget.ts";
import { Simulation } from "../../support/simulator/simulation.ts";
import { newAdmin } from "../../support/staff.ts";
import { heldTasks, runTasks } from "../../support/tasks.ts";

const EXPORT = "/api/users/export";
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Maximum number of rows that a page reads: 501 of each list, some twice by an index, and a few of the person. */
const BOUNDED_ROWS = 8_000;
/** About the number of lists. */
const LISTS = 15;

const clock = useClock();

const exported = ({ access }: SignedIn, query = "", options: CallOptions = {}) =>
  documented("GET", `${EXPORT}${query}`, { token: access, ...options });

/** All pages of an export. */
async function pagesOf(user: SignedIn, options: CallOptions = {}) {
  const pages = [];
  for (let query = ""; ; ) {
    const { status, body } = await exported(user, query, options);
    expect(status).toBe(200);
    pages.push(body.data);
    if (body.data.next_cursor === null) return pages;
    query = `?cursor=${body.data.next_cursor}`;
  }
}

/** SQL for the UUIDv7 of row `i`, with the given time (epoch ms). */
const oldId = (at: number) => {
  const hex = at.toString(16).padStart(12, "0");
  return `'${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-' || printf('%012x', i)`;
};

/** Inserts rows into each list that may be long; `word` is in each of their texts. */
async function insertLists(userId: string, count: number, word: string): Promise<void> {
  const id = oldId(Date.now() - 365 * DAY);
  const inserts = [
    `audit_logs (id, user_id, action, entity_type, entity_id, old_values, new_values, actor_id, by_staff, ip, user_agent, created_at)
      select ID, ?1, 'UPDATE', 'profile', ?1, '{}', json_object('address', ?2 || i), ?1, 0, ?2, ?2, 1`,
    `notifications (id, user_id, notification_type, title, message, created_at) select ID || ?1, ?1, 'WELCOME', ?2, ?2 || i, 1`,
    `sessions (id, user_id, created_at, last_used_at, counter, refresh_key_id, rotated_at, rotated_by, replays, idle_ttl_ms,
      idle_expires_at, absolute_expires_at, revoked_at, revoked_reason, ip, user_agent, method)
      select ID, ?1, 1, 1, 0, 'SECRET', 1, 'SECRET', 0, 1, 1, 1, 1, 'logout', ?2, ?2 || i, 'OTP_PHONE'`,
    `rentals (user_id, rental_id, started_at, returned_at, amount_minor, is_on_time) select ?1, ?2 || ID, 1, 2, 7550, 1`,
    `favorite_stations (user_id, station_id, is_favorite, changed_at, event_id) select ?1, ?2 || ID, 1, 1, 'SECRET'`,
    `wallet_transactions (id, user_id, source, transaction_id, transaction_type, amount_minor, wallet_delta_minor, currency,
      occurred_at, created_at) select ID || ?1, ?1, 'pay', ?2 || ID || ?1, 'TOPUP', 100, 0, 'NPR', 1, 1`,
    `point_transactions (id, user_id, delta, reason, reference, created_at, source)
      select ID || ?1, ?1, 0, 'ride', ?2 || ID, 1, 'rentals'`,
  ];
  for (const insert of inserts) {
    await run(
      `insert into ${insert.replaceAll("ID", id)}
        from (with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count}) select i from n)`,
      userId,
      word,
    );
  }
}

/** Creates a user with every kind of data: `word` is in each of their texts, SECRET in what no export may show. */
async function livelyPerson(word: string) {
  const user = await newUser();
  const email = newEmail();
  expect((await setIdentifier(user.access, email)).status).toBe(200);
  expect((await setIdentifier(user.access, newEmail())).status).toBe(200);
  const { passkey } = await addPasskey(user);
  const json = { full_name: word, address: word, date_of_birth: "2000-01-02" };
  expect((await call("PUT", "/api/users/profile", { token: user.access, json })).status).toBe(200);
  expect((await submit(user)).status).toBe(201);
  const device = { device_id: word, fcm_token: `SECRET-${word}`, device_type: "IOS", device_name: word };
  expect((await call("POST", "/api/auth/device", { token: user.access, json: device })).status).toBe(200);
  await run(
    `insert into social_accounts (issuer, subject, provider, user_id, identity_hash, email, sealed_refresh_token, linked_by, created_at)
      values ('https://appleid.apple.com', 'SECRET' || ?1, 'APPLE', ?1, 'SECRET' || ?1, ?2, 'SECRET', 'SECRET', 1)`,
    user.userId,
    word,
  );
  await run("update users set social_profile_data = json_object('name', ?2) where id = ?1", user.userId, word);
  await run(
    "insert into familiar_networks (identifier, network, last_sign_in_at) values (?1, ?2, 1)",
    user.userId,
    word,
  );
  await run(
    "insert into referrals (invitee_id, inviter_id, status, created_at) values (?1, ?2, 'COMPLETED', 1)",
    user.userId,
    `inviter-${word}`,
  );
  await insertLists(user.userId, 3, word);
  return { user, email, passkey };
}

describe("GET users/export", () => {
  it("contains all data about the caller, none about others, and no key, token or hash", async () => {
    const word = `asha${crypto.randomUUID()}`;
    const { user, email, passkey } = await livelyPerson(word);
    const stranger = `bikash${crypto.randomUUID()}`;
    const other = await livelyPerson(stranger);
    const [page, ...more] = await pagesOf(user);
    expect(more).toEqual([]);
    const text = JSON.stringify(page);
    for (const each of [stranger, other.user.userId, other.user.identifier, other.email, `inviter-${word}`]) {
      expect(text).not.toContain(each);
    }
    expect(text).not.toContain("SECRET");
    const [secrets] = await rows<Record<string, string>>(
      `select public_key, document_number_sealed, document_number_index, code_hash from passkeys p, kyc k, otp_challenges o
        where p.user_id = ?1 and k.user_id = ?1 and o.identifier = ?2 limit 1`,
      user.userId,
      email,
    );
    expect(Object.keys(secrets ?? {})).toHaveLength(4);
    for (const secret of Object.values(secrets ?? {})) expect(text).not.toContain(secret);
    expect(page).toMatchObject({
      account: { id: user.userId, kyc_status: "PENDING", social_profile_data: { name: word } },
      profile: { full_name: word, address: word },
      identity: {
        phone_number: user.identifier,
        providers: [{ provider: "APPLE", email: word }],
        passkeys: [{ id: passkey.id }],
      },
      identity_changes: [
        { kind: "email", old_identifier: email },
        { kind: "email", old_identifier: null, new_identifier: email },
      ],
      devices: [{ device_id: word, device_name: word, is_active: true }],
      kyc: { document_number: expect.stringContaining("NP-"), status: "PENDING" },
      wallet: { balance: "0.00", currency: "NPR" },
      points: { current_points: 50, total_points: 50 },
      statistics: { member_since: expect.any(String) },
      referral: { status: "COMPLETED", completed_at: null },
      next_cursor: null,
    });
    expect(page.known_networks).toContainEqual({ network: word, last_sign_in_at: new Date(1).toISOString() });
    const { sessions, ledgers, rentals, favorites, notifications, audit } = page;
    for (const list of [sessions, ledgers.wallet, ledgers.points, rentals, favorites, notifications, audit]) {
      expect(list.filter((row: object) => JSON.stringify(row).includes(word)).length).toBeGreaterThanOrEqual(3);
    }
    expect(sessions[0]).toMatchObject({ current: true, ended_at: null });
    expect(rentals[0]).toMatchObject({ amount: "75.50", on_time: true });
  });

  it("contains links that open the KYC documents", async () => {
    const user = await newUser();
    await submit(user);
    const { body } = await exported(user);
    const { pathname, search } = new URL(body.data.kyc.document_front_url);
    expect((await call("GET", pathname + search)).status).toBe(200);
  });

  it("returns lists of 1,200 entries on three pages by cursor, each entry once and newest first", async () => {
    const user = await newUser();
    await insertLists(user.userId, 1_200, "word");
    const pages = await pagesOf(user);
    expect(pages.length).toBe(3);
    const [first, second, third] = pages;
    expect([first.account.id, second.account, third.kyc, second.devices]).toEqual([user.userId, null, null, []]);
    expect(pages.map(({ exported_at }) => exported_at)).toEqual(Array(3).fill(first.exported_at));
    for (const list of ["sessions", "rentals", "favorites", "notifications", "audit"]) {
      const all = pages.flatMap((page) => page[list]).map((row) => row.id ?? row.rental_id ?? row.station_id);
      expect(pages.slice(0, 2).map((page) => page[list].length)).toEqual([500, 500]);
      expect(all).toEqual([...new Set(all)].sort().reverse());
      expect(all.length).toBeGreaterThanOrEqual(1_200);
    }
    for (const ledger of ["wallet", "points"]) {
      const all = pages.flatMap((page) => page.ledgers[ledger]).map((row) => row.transaction_id ?? row.reference);
      expect(new Set(all).size).toBe(all.length);
      expect(all.length).toBe(ledger === "wallet" ? 1_200 : 1_201);
    }
    expect(await countOf("audit_logs", user.userId, "entity_type = 'export'")).toBe(1);
  });

  it("reads as many rows for a user with 6,000 entries of each list as for one with 1,100", async () => {
    const cost = async (count: number) => {
      const user = await newUser();
      await insertLists(user.userId, count, "word");
      const simulation = new Simulation(1);
      const answer = await simulation.call("GET", EXPORT, { token: user.access });
      if (answer === "died") throw new Error("the call died");
      const first = costOf(simulation.log);
      const { next_cursor } = answer.body.data;
      const next = new Simulation(1);
      await next.call("GET", `${EXPORT}?cursor=${next_cursor}`, { token: user.access });
      return { first: first.rowsRead, next: costOf(next.log).rowsRead };
    };
    const few = await cost(1_100);
    const many = await cost(6_000);
    // SQLite may read one row past the end of each range if rows of other users follow.
    for (const page of ["first", "next"] as const) expect(Math.abs(many[page] - few[page])).toBeLessThan(LISTS);
    expect(many.first).toBeLessThan(BOUNDED_ROWS);
  });

  it("says what staff did without saying who", async () => {
    const user = await newUser();
    const admin = await newAdmin();
    const username = `colleague${crypto.randomUUID().slice(0, 8)}`;
    await run("update users set username = ?2, username_key = ?2 where id = ?1", admin.userId, username);
    await submit(user);
    const as = { token: admin.access, ip: "203.0.113.99", headers: { "User-Agent": "colleague-browser" } };
    const path = `/api/users/${user.userId}`;
    const { body } = await call("GET", path, as);
    const { pathname, search } = new URL(body.data.kyc.document_front_url);
    expect((await call("GET", pathname + search, as)).status).toBe(200);
    const approval = { ...as, json: { status: "APPROVED" }, env: { KYC_APPROVALS: "2" } as unknown as Partial<Env> };
    expect((await call("PATCH", `${path}/kyc`, approval)).status).toBe(200);
    expect((await call("POST", `${path}/notes`, { ...as, json: { text: "called about a fine" } })).status).toBe(201);
    expect((await call("PATCH", path, { ...as, json: { address: "Thimi" } })).status).toBe(200);
    const { data } = (await exported(user)).body;
    const text = JSON.stringify(data);
    for (const each of [admin.userId, username, "203.0.113.99", "colleague-browser"]) expect(text).not.toContain(each);
    const byStaff = data.audit.filter(({ by }: { by: string }) => by === "staff");
    const acts = byStaff.map((row: { action: string; entity_type: string }) => `${row.action} ${row.entity_type}`);
    expect(acts.sort()).toEqual([
      "CREATE note",
      "UPDATE kyc",
      "UPDATE user",
      "VIEW kyc",
      "VIEW kyc_document",
      "VIEW user",
      "VIEW user",
    ]);
    expect(
      new Set(byStaff.flatMap((row: Record<string, unknown>) => [row.ip, row.user_agent, row.session_id])),
    ).toEqual(new Set([null]));
  });

  it("writes one audit row and one notice for an export, and none for its further pages", async () => {
    const user = await newUser();
    await insertLists(user.userId, 501, "word");
    const tasks = heldTasks();
    const pages = await pagesOf(user, { env: tasks.env });
    expect(pages.length).toBe(2);
    const events = tasks.take(user.userId, "auth.data_exported");
    expect(events.length).toBe(1);
    for (let copy = 0; copy < 2; copy++) await runTasks(events, {});
    expect(
      await rows(
        "select action, entity_type, actor_id, by_staff from audit_logs where user_id = ? and entity_type = 'export'",
        user.userId,
      ),
    ).toEqual([{ action: "VIEW", entity_type: "export", actor_id: user.userId, by_staff: 0 }]);
    expect(await countOf("notifications", user.userId, "notification_type = 'DATA_EXPORTED'")).toBe(1);
  });

  it("may be started three times in a day, however many calls come at once", async () => {
    const user = await newUser();
    const answers = await Promise.all(Array.from({ length: 8 }, () => exported(user)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 429, 429, 429, 429, 429]);
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.headers.get("Retry-After")).toBe(String(DAY / 1000));
    expect(await countOf("audit_logs", user.userId, "entity_type = 'export'")).toBe(3);
    clock.advance(DAY - MINUTE);
    const again = await signInAgain(user.identifier);
    // The sign-in lets a millisecond pass.
    clock.advance(MINUTE - 2);
    const early = await exported(again);
    expect([early.status, early.headers.get("Retry-After")]).toEqual([429, "1"]);
    clock.advance(1);
    expect((await exported(again)).status).toBe(200);
  });

  it("returns further pages after the day's exports are used up, for an hour and only to their owner", async () => {
    const user = await newUser();
    await insertLists(user.userId, 501, "word");
    const started = [await exported(user), await exported(user), await exported(user)];
    const query = `?cursor=${started[0]?.body.data.next_cursor}`;
    expect((await exported(user, query)).status).toBe(200);
    const other = await newUser();
    const refusal = ({ status, body }: Awaited<ReturnType<typeof exported>>) => [status, body.error?.fields];
    const unknown = [400, { cursor: [{ code: "unknown_cursor" }] }];
    expect(refusal(await exported(other, query))).toEqual(unknown);
    expect(refusal(await exported(user, "?cursor=x"))).toEqual(unknown);
    clock.advance(HOUR - MINUTE);
    const again = await signInAgain(user.identifier);
    clock.advance(MINUTE - 2);
    expect((await exported(again, query)).status).toBe(200);
    clock.advance(1);
    expect(refusal(await exported(again, query))).toEqual(unknown);
  });

  it("requires a recent proof, also for further pages, and does not count refused calls", async () => {
    const user = await newUser();
    await insertLists(user.userId, 501, "word");
    const { body } = await exported(user);
    await age(user, 10 * MINUTE);
    for (const query of ["", `?cursor=${body.data.next_cursor}`]) {
      const refused = await exported(user, query);
      expect([refused.status, refused.body.error?.code]).toEqual([403, "reauthentication_required"]);
      expect(refused.body.data).toBeUndefined();
    }
    expect(await countOf("audit_logs", user.userId, "entity_type = 'export'")).toBe(1);
  });

  it("returns a staff member's own data, and is refused once the session has ended", async () => {
    const user = await signUp(undefined, { ip: newIp() });
    await promote(user);
    expect((await exported(user)).body.data.account.id).toBe(user.userId);
    await run("update sessions set revoked_at = 1 where user_id = ?", user.userId);
    expect((await exported(user)).status).toBe(401);
  });

  it("is sent as a file download that may not be cached", async () => {
    const answer = await exported(await newUser());
    expect(answer.headers.get("Content-Disposition")).toBe('attachment; filename="my-data.json"');
    expect(answer.headers.get("Cache-Control")).toContain("no-store");
  });
});
