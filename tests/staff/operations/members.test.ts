import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { call, logIn, type SignedIn } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { rows, run } from "../../support/database.ts";
import { newId } from "../../support/ids.ts";
import { runJob } from "../../support/jobs.ts";
import { codeOf, documented, newStaff, newUser } from "../../support/kyc.ts";
import { databaseWithout } from "../../support/production.ts";
import { newAdmin, USERS } from "../../support/staff.ts";
import { runTasks } from "../../support/tasks.ts";

const DAY = 86_400_000;
beforeEach(() => void stopClock());
afterEach(() => vi.useRealTimers());

const usernameOf = async ({ userId }: SignedIn) =>
  (await rows<{ username: string }>("select username from users where id = ?", userId))[0]?.username;

describe("GET staff/members", () => {
  test("lists staff and admins with what they have seen and done in 24 hours", async () => {
    const [admin, staff, user] = [await newAdmin(), await newStaff(), await newUser()];
    await documented("GET", `${USERS}/${user.userId}`, { token: staff.access });
    await documented("POST", `${USERS}/${user.userId}/reveal`, { token: staff.access, json: { fields: ["email"] } });
    await documented("POST", `${USERS}/${user.userId}/notes`, { token: staff.access, json: { text: "x" } });
    const members = async (by: SignedIn) =>
      (await documented("GET", "/api/staff/members", { token: by.access })).body.data;
    const of = (list: { id: string }[], { userId }: SignedIn) => list.find(({ id }) => id === userId);
    const list = await members(admin);
    expect(of(list, staff)).toEqual({
      id: staff.userId,
      username: await usernameOf(staff),
      role: "staff",
      last_login: expect.any(String),
      views_24h: 2,
      acts_24h: 1,
    });
    expect(of(list, admin)).toMatchObject({ role: "admin", views_24h: 0, acts_24h: 0 });
    expect(of(list, user)).toBeUndefined();
    vi.setSystemTime(Date.now() + DAY);
    expect(of(await members(await logIn(admin.identifier)), staff)).toMatchObject({ views_24h: 0, acts_24h: 0 });
  });
});

describe("GET staff/audit-logs", () => {
  test("shows what a member of staff has seen and done, with the user of each, page by page", async () => {
    const [admin, staff, user, gone] = [await newAdmin(), await newStaff(), await newUser(), await newUser()];
    const step = () => vi.setSystemTime(Date.now() + 1);
    await documented("GET", `${USERS}/${gone.userId}`, { token: staff.access });
    step();
    await documented("GET", `${USERS}/${user.userId}`, { token: staff.access });
    step();
    await documented("POST", `${USERS}/${user.userId}/notes`, { token: staff.access, json: { text: "Called" } });
    await run("delete from users where id = ?", gone.userId);
    const logs = (query: string) =>
      documented("GET", `/api/staff/audit-logs?actor_id=${staff.userId}&${query}`, { token: admin.access });
    const { results, next_cursor } = (await logs("page_size=2")).body.data;
    const shown = { id: user.userId, username: await usernameOf(user) };
    expect(results).toMatchObject([
      {
        action: "CREATE",
        entity_type: "note",
        new_values: { text: "Called" },
        user: shown,
        actor: { id: staff.userId },
      },
      { action: "VIEW", entity_type: "user", user: shown },
    ]);
    const rest = (await logs(`page_size=2&cursor=${next_cursor}`)).body.data;
    expect(rest).toMatchObject({ results: [{ action: "VIEW", user: null, ip: null }], next_cursor: null });
    // The sign-up of the member of staff is not an act of staff.
    expect(results.concat(rest.results)).toHaveLength(3);
  });

  test("requires a well-formed actor_id", async () => {
    const admin = await newAdmin();
    for (const query of ["", "actor_id=x"]) {
      const answer = await documented("GET", `/api/staff/audit-logs?${query}`, { token: admin.access });
      expect(codeOf(answer)).toEqual([400, "validation_error"]);
    }
  });
});

describe("GET staff/jobs", () => {
  test("lists the last run of each job", async () => {
    const admin = await newAdmin();
    await run("delete from job_runs");
    await run("insert into job_runs values ('sweep_kyc_uploads', 1, null, 3, 7, 0, null, 2)");
    await run("insert into job_runs values ('sweep_kyc_uploads', 5, null, 1, 0, 0, null, null)");
    await runJob("count_hours");
    const { data } = (await documented("GET", "/api/staff/jobs", { token: admin.access })).body;
    expect(data).toMatchObject([
      { name: "count_hours", finished_at: expect.any(String) },
      {
        name: "sweep_kyc_uploads",
        period_started_at: "1970-01-01T00:00:00.005Z",
        finished_at: null,
        closed_as: null,
        processed: 0,
        chunks: 1,
      },
    ]);
    await run("delete from job_runs");
    expect((await documented("GET", "/api/staff/jobs", { token: admin.access })).body.data).toEqual([]);
  });

  test("shows a run that was closed after a day of failures as FAILED", async () => {
    const admin = await newAdmin();
    await run("delete from job_runs");
    await runJob("count_hours");
    const now = Date.now();
    await run("insert into job_runs values ('purge_expired_rows', ?, null, 0, 0, 0, null, null)", now);
    await run(
      "insert into job_failures (name, failing_since, failed_at, failures, reason) values (?, ?, ?, 30, 'Down')",
      "purge_expired_rows",
      now - DAY,
      now - 1,
    );
    const payload = JSON.stringify({ name: "purge_expired_rows", period_started_at: now });
    const due = { event_id: newId(), type: "job.due", user_id: null, payload, created_at: now };
    await runTasks([due], databaseWithout(/delete from "otp_challenges"/));
    const { data } = (await documented("GET", "/api/staff/jobs", { token: admin.access })).body;
    expect(data).toMatchObject([
      { name: "count_hours", finished_at: expect.any(String), closed_as: null },
      { name: "purge_expired_rows", finished_at: expect.any(String), closed_as: "FAILED" },
    ]);
  });
});

test.each(["members", `audit-logs?actor_id=${crypto.randomUUID()}`, "jobs"])(
  "GET staff/%s is for admins",
  async (path) => {
    for (const caller of [await newStaff(), await newUser()]) {
      expect(codeOf(await call("GET", `/api/staff/${path}`, { token: caller.access }))).toEqual([
        403,
        "permission_denied",
      ]);
    }
  },
);
