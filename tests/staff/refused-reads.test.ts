import { beforeAll, describe, expect, test } from "vitest";
import { call, type SignedIn, testEnv } from "../support/client.ts";
import { rows, run } from "../support/database.ts";
import { newId } from "../support/ids.ts";
import { newStaff, newUser, promote, sessionOf, submit } from "../support/kyc.ts";
import { costOf } from "../support/simulator/budget.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { deliverSearch, insertPeople, newAdmin } from "../support/staff.ts";

let refused: SignedIn;
/** A user with sessions, a history, a report and a pending KYC. */
let rich: SignedIn;
/** A user without any of these. */
let poor: SignedIn;

beforeAll(async () => {
  [refused, rich, poor] = [await newUser(), await newUser(), await newUser()];
  await submit(rich);
  await run(
    "insert into analytics_reports (user_id, report, created_at, expires_at) values (?, '{}', 0, 9e12)",
    rich.userId,
  );
  for (let i = 0; i < 5; i++) {
    await run(
      `insert into audit_logs (id, user_id, action, entity_type, entity_id, by_staff, created_at)
        values (?1, ?2, 'UPDATE', 'user', ?2, 0, 0)`,
      newId(),
      rich.userId,
    );
  }
  await run("delete from audit_logs where user_id = ?", poor.userId);
  await run("delete from sessions where user_id = ?", poor.userId);
  await insertPeople(Array.from({ length: 50 }, () => ({ kycStatus: "PENDING" as const })));
  await deliverSearch([rich.userId]);
});

async function rowsReadBy(caller: SignedIn, path: string): Promise<number> {
  const simulation = new Simulation(1);
  expect(await simulation.call("GET", path, { token: caller.access }), path).toMatchObject({ status: 403 });
  return costOf(simulation.log).rowsRead;
}

describe("A caller who is not staff", () => {
  test.each(["/sessions", "/audit-logs", "/analytics-report"])(
    "reads no more rows at GET /api/users/{id}%s if the user has many",
    async (rest) => {
      const [much, little] = [
        await rowsReadBy(refused, `/api/users/${rich.userId}${rest}`),
        await rowsReadBy(refused, `/api/users/${poor.userId}${rest}`),
      ];
      expect(much).toBe(little);
    },
  );

  test.each([
    "/api/users?",
    "/api/users?ordering=-last_login&",
    "/api/users?ordering=username&start_date=2000-01-01&",
    "/api/users/kyc/submissions?",
  ])("reads as many rows for a long page of %s as for a short one", async (list) => {
    const short = await rowsReadBy(refused, `${list}page_size=1`);
    expect(await rowsReadBy(refused, `${list}page_size=50`), list).toBe(short);
    expect(short, list).toBeLessThan(10);
  });
});

describe("Staff who lose their rights while a search runs", () => {
  /** The search database, which runs `statement` on the primary first: between the two checks of the caller's role. */
  const during = (statement: string, id: string): Partial<Env> => {
    const { SEARCH_DB } = testEnv;
    const prepare = SEARCH_DB.prepare.bind(SEARCH_DB);
    const batch = async (statements: D1PreparedStatement[]) => {
      await run(statement, id);
      return SEARCH_DB.batch(statements);
    };
    return { SEARCH_DB: { prepare, batch } as unknown as D1Database };
  };

  test.each([
    ["demoted", "update users set role = 'user' where id = ?", [403, "permission_denied"]],
    ["banned", "update users set status = 'BANNED', status_reason = 'staff' where id = ?", [401, "token_not_valid"]],
    [
      "signed out",
      "update sessions set revoked_at = 1, revoked_reason = 'logout' where user_id = ?",
      [401, "token_not_valid"],
    ],
  ] as const)("are refused when %s", async (_, statement, refusal) => {
    const staff = await newStaff();
    const path = `/api/users?search=${encodeURIComponent(rich.identifier.slice(-8))}`;
    const answer = await call("GET", path, { token: staff.access, env: during(statement, staff.userId) });
    expect(answer).toMatchObject({ status: refusal[0], body: { error: { code: refusal[1] } } });
    expect(JSON.stringify(answer)).not.toContain(rich.userId);
  });
});

test("an admin who is demoted to staff may still read the directory, but not change a role", async () => {
  const admin = await newAdmin();
  const role = { token: admin.access, json: { role: "staff", reason: "asked" } };
  const before = await rows("select role, version from users where id = ?", rich.userId);
  await promote(admin, "staff");
  expect(await call("PUT", `/api/users/${rich.userId}/role`, role)).toMatchObject({ status: 403 });
  expect(await call("GET", "/api/users?page_size=1", { token: admin.access })).toMatchObject({
    status: 200,
  });
  expect(await rows("select role, version from users where id = ?", rich.userId)).toEqual(before);
  expect(await rows("select 1 from sessions where id = ? and revoked_at is null", sessionOf(rich))).toHaveLength(1);
});
