import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { call, type SignedIn } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { rows, run } from "../../support/database.ts";
import { file, png } from "../../support/documents.ts";
import {
  amend,
  codeOf,
  decide,
  documented,
  KYC,
  look,
  newNumber,
  newStaff,
  newUser,
  pathOf,
  promote,
  submit,
  whole,
} from "../../support/kyc.ts";
import { keepSentEvents } from "../../support/recorded-events.ts";
import { costOf } from "../../support/simulator/budget.ts";
import { Simulation } from "../../support/simulator/simulation.ts";

beforeAll(keepSentEvents);

const QUEUE = `${KYC}/submissions`;

const clock = useClock();
beforeEach(async () => {
  await run("delete from kyc");
});

const page = ({ access: token }: SignedIn, query = "") => documented("GET", QUEUE + query, { token });
const idsOf = ({ body }: Awaited<ReturnType<typeof page>>) =>
  body.data.results.map((each: { user: { id: string } }) => each.user.id);

async function submitters(count: number): Promise<SignedIn[]> {
  const users: SignedIn[] = [];
  for (let i = 0; i < count; i++) {
    const user = await newUser();
    await submit(user);
    users.push(user);
    // Some were submitted at the same time.
    if (i % 2) clock.advance(1_000);
  }
  return users;
}

describe("KYC review queue", () => {
  test("lists submissions oldest first, page by page, each once", async () => {
    const staff = await newStaff();
    const users = await submitters(7);
    const seen: string[] = [];
    for (let cursor = ""; ; ) {
      const answer = await page(staff, `?page_size=2${cursor}`);
      seen.push(...idsOf(answer));
      if (answer.body.data.next_cursor === null) break;
      cursor = `&cursor=${answer.body.data.next_cursor}`;
      // Submissions made during the walk come last.
      if (seen.length === 2) users.push(...(await submitters(1)));
    }
    expect(seen).toHaveLength(8);
    const order = await rows<{ user_id: string }>("select user_id from kyc order by submitted_at, user_id");
    expect(seen).toEqual(order.map(({ user_id }) => user_id));
    expect(new Set(seen)).toEqual(new Set(users.map(({ userId }) => userId)));
  });

  test("shows the submitter, the version, and other accounts with the same number", async () => {
    const staff = await newStaff();
    const [first, second] = [await newUser(), await newUser()];
    await submit(first, whole({ document_number: "ab 12-34५" }));
    await submit(second, whole({ document_number: "AB12345", document_back: file(png()) }));
    await amend(second, { json: { document_type: "PASSPORT" } });
    const { body } = await page(staff);
    const found = (user: SignedIn) =>
      body.data.results.find((each: { user: { id: string } }) => each.user.id === user.userId);
    expect(found(first)).toMatchObject({ version: 1, duplicate_of: second.userId, document_number: "ab 12-34५" });
    expect(found(second)).toMatchObject({
      version: 2,
      duplicate_of: first.userId,
      document_type: "PASSPORT",
      status: "PENDING",
      user: {
        id: second.userId,
        username: expect.any(String),
        email: null,
        phone_number: second.identifier,
        profile_picture: null,
      },
    });
    expect((await call("GET", pathOf(found(second).document_back_url))).status).toBe(200);
    const alone = await newUser();
    await submit(alone);
    const last = (await page(staff)).body.data.results.find(
      (each: { user: { id: string } }) => each.user.id === alone.userId,
    );
    expect(last).toMatchObject({ duplicate_of: null });
  });

  test("recognizes the same document number in two accounts however it was typed", async () => {
    const staff = await newStaff();
    const spellings = [
      "31/02/71-00AB",
      "31.02.71.00ab",
      "31−02−71−00AB",
      "\"31'02'71\" 00 ab",
      "३१/०२/७१-००AB",
      "٣١‏٠٢‏٧١٠٠ab",
      "31·02·71#00_AB",
      "31\\02|71*00–ＡＢ",
      "𝟹𝟷𝟶𝟸𝟽𝟷𝟶𝟶ab",
      "(3́1)02+71=00~ab",
    ];
    const users = await Promise.all(spellings.map(() => newUser()));
    for (const [i, user] of users.entries()) {
      expect((await submit(user, whole({ document_number: ` ${spellings[i]} ` }))).status, spellings[i]).toBe(201);
    }
    const neighbours = [await newUser(), await newUser()];
    await submit(neighbours[0] as SignedIn, whole({ document_number: "31/02/71-00AC" }));
    await submit(neighbours[1] as SignedIn, whole({ document_number: "31/02/71-0AB" }));
    const ids = new Set(users.map(({ userId }) => userId));
    const queue = (await page(staff, "?page_size=100")).body.data.results;
    for (const [i, { userId }] of users.entries()) {
      const found = queue.find((each: { user: { id: string } }) => each.user.id === userId);
      expect(found.document_number, "kept as typed").toBe(spellings[i]);
      expect(ids, spellings[i]).toContain(found.duplicate_of);
    }
    for (const { userId } of neighbours) {
      expect(queue.find((each: { user: { id: string } }) => each.user.id === userId).duplicate_of).toBeNull();
    }
  });

  test("lists one status, PENDING by default", async () => {
    const staff = await newStaff();
    const [waiting, rejected] = (await submitters(2)) as [SignedIn, SignedIn];
    await decide(staff, rejected, { status: "REJECTED", rejection_reason: "blurred" });
    expect(idsOf(await page(staff))).toEqual([waiting.userId]);
    expect(idsOf(await page(staff, "?status=PENDING"))).toEqual([waiting.userId]);
    expect(idsOf(await page(staff, "?status="))).toEqual([waiting.userId]);
    expect(idsOf(await page(staff, "?status=REJECTED"))).toEqual([rejected.userId]);
    expect(idsOf(await page(staff, "?status=APPROVED"))).toEqual([]);
  });

  test("refuses a cursor that was altered or belongs to another queue or list", async () => {
    const staff = await newStaff();
    await submitters(3);
    const cursor: string = (await page(staff, "?page_size=1")).body.data.next_cursor;
    const flip = (at: number) =>
      `${cursor.slice(0, at)}${cursor.charAt(at) === "A" ? "B" : "A"}${cursor.slice(at + 1)}`;
    const altered = [
      "x",
      "x".repeat(2000),
      `${cursor}A`,
      cursor.slice(1),
      cursor.slice(0, -1),
      `${cursor}%20`,
      `${cursor}=`,
    ];
    for (let at = 0; at < cursor.length; at++) altered.push(flip(at));
    for (const each of altered) {
      const answer = await page(staff, `?page_size=1&cursor=${each}`);
      expect(codeOf(answer), each).toEqual([400, "validation_error"]);
      expect(Object.keys(answer.body.error.details)).toEqual(["cursor"]);
    }
    expect(codeOf(await page(staff, `?status=REJECTED&cursor=${cursor}`))).toEqual([400, "validation_error"]);
    const foreign = await documented("GET", `/api/users/notifications?cursor=${cursor}`, { token: staff.access });
    expect(codeOf(foreign)).toEqual([400, "validation_error"]);
    expect((await page(staff, `?page_size=2&cursor=${cursor}`)).status, "another page size").toBe(200);
  });

  test.each([
    ["page_size=0", "page_size"],
    ["page_size=101", "page_size"],
    ["page_size=1.5", "page_size"],
    ["page_size=many", "page_size"],
    ["page_size=5&page_size=6", "page_size"],
    ["status=pending", "status"],
    ["status=PENDING&status=REJECTED", "status"],
  ])("refuses %s by its name", async (query, field) => {
    const answer = await page(await newStaff(), `?${query}`);
    expect(codeOf(answer)).toEqual([400, "validation_error"]);
    expect(Object.keys(answer.body.error.details)).toEqual([field]);
  });

  test("costs one round trip and a bounded number of rows however long the queue is", async () => {
    const staff = await newStaff();
    const [user] = (await submitters(1)) as [SignedIn];
    const measure = async () => {
      const simulation = new Simulation(1);
      expect(await simulation.call("GET", `${QUEUE}?page_size=1`, { token: staff.access })).toMatchObject({
        status: 200,
      });
      return costOf(simulation.log);
    };
    const short = await measure();
    await run(
      `insert into users (id, username, username_key, email_verified, phone_verified, referral_code, status, role,
        social_provider, locale, date_joined, updated_at, version)
        select 'queue-' || value, 'q', 'queue-' || value, 0, 0, 'queue-' || value, 'ACTIVE', 'user', 'PHONE', 'en', 0, 0, 1
        from (with recursive n(value) as (select 1 union all select value + 1 from n where value < 2000) select value from n)`,
    );
    await run(
      `insert into kyc (user_id, id, document_type, document_number_sealed, document_number_key_id, document_number_index,
          front_document_id, back_document_id, status, version, changed_by, rejection_reason, verified_at, submitted_at,
          created_at, updated_at, reminded_version) select 'queue-' || substr(users.id, 7), 'kyc-' || users.id, k.document_type, k.document_number_sealed,
        k.document_number_key_id, users.id, k.front_document_id, k.back_document_id, 'PENDING', 1, '', null, null,
        k.submitted_at + 1, 0, 0, 0 from users, kyc k where users.id glob 'queue-*' and k.user_id = ?`,
      user.userId,
    );
    expect(await rows("select count(*) as n from kyc")).toEqual([{ n: 2001 }]);
    const long = await measure();
    expect(long).toMatchObject({ d1: 1, kv: 0, r2: 0, queue: 0 });
    expect(long.rowsRead).toBeLessThan(short.rowsRead + 10);
    const plan = await rows<{ detail: string }>(
      `explain query plan select * from kyc where status = 'PENDING' and (submitted_at, user_id) > (1, 'x')
        order by submitted_at, user_id limit 3`,
    );
    expect(plan.map(({ detail }) => detail).join()).toMatch(/kyc_queue/);
    expect(plan.map(({ detail }) => detail).join()).not.toMatch(/TEMP B-TREE|SCAN/);
  });
});

describe("KYC review routes", () => {
  test("require a signed-in staff member and say which of the two is missing", async () => {
    const [user, staff] = [await newUser(), await newStaff()];
    await submit(user);
    const json = { status: "REJECTED", rejection_reason: "no" };
    const path = `/api/users/${user.userId}/kyc`;
    for (const [method, target, body] of [
      ["GET", QUEUE, {}],
      ["PATCH", path, { json }],
    ] as const) {
      expect(codeOf(await documented(method, target, body))).toEqual([401, "authentication_required"]);
      expect(codeOf(await documented(method, target, { ...body, token: user.access }))).toEqual([
        403,
        "permission_denied",
      ]);
      await promote(user, "admin");
      expect((await documented("GET", QUEUE, { token: user.access })).status, "an admin is staff").toBe(200);
      await promote(user, "user");
    }
    await promote(staff, "user");
    expect(codeOf(await documented("PATCH", path, { token: staff.access, json }))).toEqual([403, "permission_denied"]);
    await promote(staff, "staff");
    await run("update sessions set revoked_at = 1 where user_id = ?", staff.userId);
    for (const [method, target, body] of [
      ["GET", QUEUE, {}],
      ["PATCH", path, { json }],
    ] as const) {
      expect(codeOf(await documented(method, target, { ...body, token: staff.access }))).toEqual([
        401,
        "token_not_valid",
      ]);
    }
    expect(await rows("select status from kyc where user_id = ?", user.userId)).toEqual([{ status: "PENDING" }]);
  });
});

describe("KYC decision", () => {
  test("to approve, the reviewer must have opened every file since it was submitted", async () => {
    const [user, staff, colleague] = [await newUser(), await newStaff(), await newStaff()];
    await submit(user, whole({ document_back: file(png()) }));
    clock.advance(1_000);
    expect(codeOf(await decide(staff, user, { status: "APPROVED" }))).toEqual([409, "kyc_not_viewed"]);
    await look(colleague, user);
    expect(codeOf(await decide(staff, user, { status: "APPROVED" })), "a colleague looked").toEqual([
      409,
      "kyc_not_viewed",
    ]);
    const { results } = (await page(staff)).body.data;
    await call("GET", pathOf(results[0].document_front_url));
    await call("HEAD", pathOf(results[0].document_back_url));
    expect(codeOf(await decide(staff, user, { status: "APPROVED" })), "one side").toEqual([409, "kyc_not_viewed"]);
    await call("GET", pathOf(results[0].document_back_url));
    clock.advance(1_000);
    await amend(user, { json: { document_number: newNumber() } });
    clock.advance(1_000);
    expect(codeOf(await decide(staff, user, { status: "APPROVED" })), "submitted anew").toEqual([
      409,
      "kyc_not_viewed",
    ]);
    await look(staff, user);
    const approved = await decide(staff, user, { status: "APPROVED", rejection_reason: "not kept" });
    expect(approved.status).toBe(200);
    expect(approved.body.data).toMatchObject({
      status: "APPROVED",
      verified_at: new Date().toISOString(),
      rejection_reason: null,
    });
    expect((await documented("GET", `${KYC}/status`, { token: user.access })).body.data).toMatchObject({
      status: "APPROVED",
    });
  });

  test("to reject, the reviewer needs a reason but need not open the files", async () => {
    const [user, staff] = [await newUser(), await newStaff()];
    await submit(user);
    for (const json of [
      { status: "REJECTED" },
      { status: "REJECTED", rejection_reason: "  " },
      { status: "REJECTED", rejection_reason: null },
      { status: "REJECTED", rejection_reason: "x".repeat(256) },
    ]) {
      const answer = await decide(staff, user, json);
      expect(codeOf(answer)).toEqual([400, "validation_error"]);
      expect(Object.keys(answer.body.error.details)).toEqual(["rejection_reason"]);
    }
    for (const json of [{}, { status: "PENDING" }, { status: "approved" }, { status: ["APPROVED"] }]) {
      expect(codeOf(await decide(staff, user, json))).toEqual([400, "validation_error"]);
    }
    const rejected = await decide(staff, user, { status: "REJECTED", rejection_reason: "x".repeat(255) });
    expect(rejected.body.data).toMatchObject({
      status: "REJECTED",
      verified_at: null,
      rejection_reason: "x".repeat(255),
    });
  });

  test("is made only once, for the version that the reviewer saw", async () => {
    const [user, staff] = [await newUser(), await newStaff()];
    await submit(user);
    const { version } = await look(staff, user);
    await amend(user, { json: { document_number: newNumber() } });
    await look(staff, user);
    const stale = await decide(staff, user, { status: "APPROVED", version });
    expect(codeOf(stale)).toEqual([409, "kyc_version_stale"]);
    for (const wrong of ["x", 1.5, [], [version + 1], true, "0x2", {}]) {
      expect(codeOf(await decide(staff, user, { status: "APPROVED", version: wrong }))).toEqual([
        400,
        "validation_error",
      ]);
    }
    const form = { status: "REJECTED", rejection_reason: "no", version: String(version + 1) };
    const token = staff.access;
    expect((await documented("PATCH", `/api/users/${user.userId}/kyc`, { token, form })).status).toBe(200);
    expect(codeOf(await decide(staff, user, { status: "APPROVED" })), "decided").toEqual([409, "conflict"]);
    expect(
      await rows("select 1 from recorded_events where type = 'kyc.decided' and user_id = ?", user.userId),
    ).toHaveLength(1);
  });

  test("is refused for the reviewer's own KYC and for a user without one", async () => {
    const staff = await newStaff();
    await submit(staff);
    await look(staff, staff);
    for (const json of [{ status: "APPROVED" }, { status: "REJECTED", rejection_reason: "no" }]) {
      expect(codeOf(await decide(staff, staff, json))).toEqual([403, "permission_denied"]);
    }
    const json = { status: "APPROVED" };
    expect(codeOf(await decide(staff, await newUser(), json))).toEqual([404, "not_found"]);
    expect(codeOf(await documented("PATCH", "/api/users/nobody/kyc", { token: staff.access, json }))).toEqual([
      404,
      "not_found",
    ]);
    expect(
      codeOf(await documented("PATCH", `/api/users/${"a".repeat(65)}/kyc`, { token: staff.access, json })),
    ).toEqual([400, "validation_error"]);
  });

  test("writes a staff audit row, the events and a new version of the user", async () => {
    const [user, staff] = [await newUser(), await newStaff()];
    await submit(user);
    const before = await rows<{ version: number }>("select version from users where id = ?", user.userId);
    await decide(staff, user, { status: "REJECTED", rejection_reason: "blurred" });
    const audit = await rows(
      "select * from audit_logs where user_id = ? and entity_type = 'kyc' and by_staff = 1 order by action",
      user.userId,
    );
    // The answer shows the number, so it is a view too.
    expect(audit).toMatchObject([
      { action: "UPDATE", actor_id: staff.userId },
      { action: "VIEW", actor_id: staff.userId },
    ]);
    expect(JSON.parse(String(audit[0]?.old_values))).toMatchObject({ status: "PENDING", rejection_reason: null });
    expect(JSON.parse(String(audit[0]?.new_values))).toMatchObject({ status: "REJECTED", rejection_reason: "blurred" });
    const events = await rows<{ type: string; payload: string; queue: string }>(
      "select type, payload, queue from recorded_events where user_id = ? and type in ('user.updated', 'kyc.decided') order by id",
      user.userId,
    );
    const [kyc] = await rows<{ id: string }>("select id from kyc where user_id = ?", user.userId);
    const decided = events.find(({ type }) => type === "kyc.decided");
    expect(decided?.queue).toBe("tasks");
    expect(JSON.parse(decided?.payload ?? "")).toEqual({ user_id: user.userId, status: "REJECTED", kyc_id: kyc?.id });
    expect(events.filter(({ type }) => type === "user.updated")).toHaveLength(2);
    expect(await rows("select version from users where id = ?", user.userId)).toEqual([
      { version: (before[0]?.version ?? 0) + 1 },
    ]);
  });
});
