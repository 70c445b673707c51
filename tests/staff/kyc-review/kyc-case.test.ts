import { beforeEach, describe, expect, test } from "vitest";
import { call, logIn, type SignedIn } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { count, rows, run } from "../../support/database.ts";
import { file, pdf, png } from "../../support/documents.ts";
import { codeOf, documented, KYC, look, newStaff, newUser, pathOf, submit, whole } from "../../support/kyc.ts";
import { auditOf, USERS } from "../../support/staff.ts";

const MINUTE = 60_000;

const clock = useClock();
beforeEach(() => run("delete from kyc"));

const open = (staff: SignedIn, { userId }: { userId: string }) =>
  documented("GET", `${USERS}/${userId}/kyc`, { token: staff.access });
const queue = (staff: SignedIn, query = "") =>
  documented("GET", `${KYC}/submissions?${query}`, { token: staff.access });

describe("GET users/{id}/kyc", () => {
  test("shows the claims, what they are compared with, and who has looked, and records the view", async () => {
    const [staff, colleague, user, twin] = [await newStaff(), await newStaff(), await newUser(), await newUser()];
    await call("PATCH", "/api/users/profile", {
      token: user.access,
      json: { full_name: "Sita Shrestha", date_of_birth: "1994-05-12", address: "Patan" },
    });
    await submit(twin, whole({ document_number: "12-34 567" }));
    clock.advance(1_000);
    await submit(user, whole({ document_number: "1234567", document_back: file(pdf()) }));
    await call("GET", pathOf((await documented("GET", KYC, { token: user.access })).body.data.document_back_url));
    clock.advance(1_000);
    const theirs = (await open(colleague, user)).body.data;
    clock.advance(1);
    await call("GET", pathOf(theirs.document_back_url));
    const lookedAt = new Date().toISOString();
    clock.advance(1);
    const { status, body } = await open(staff, user);
    expect(status).toBe(200);
    const [username, other] = await Promise.all(
      [colleague, twin].map(
        async ({ userId }) => (await rows("select username from users where id = ?", userId))[0]?.username,
      ),
    );
    expect(body.data).toMatchObject({
      document_number: "1234567",
      status: "PENDING",
      version: 1,
      full_name: "Sita Shrestha",
      profile: { full_name: "Sita Shrestha", date_of_birth: "1994-05-12", address: "Patan" },
      front_type: "image/jpeg",
      back_type: "application/pdf",
      duplicate_of: twin.userId,
      duplicates: [{ id: twin.userId, username: other, status: "PENDING" }],
      views: [{ side: "back", viewer: { id: colleague.userId, username }, viewed_at: lookedAt }],
      seen_by: { username, viewed_at: lookedAt },
      approvals: [],
      reopened: null,
      approvals_needed: 1,
      user: { id: user.userId, phone_number: user.identifier },
    });
    clock.advance(1);
    expect((await call("GET", pathOf(body.data.document_front_url))).status).toBe(200);
    expect((await auditOf(user.userId, "VIEW")).map((each) => [each.entity_type, each.actor_id])).toEqual([
      ["kyc", colleague.userId],
      ["kyc_document", colleague.userId],
      ["kyc", staff.userId],
      ["kyc_document", staff.userId],
    ]);
    clock.advance(10 * MINUTE);
    expect((await open(staff, user)).body.data.seen_by).toBeNull();
    expect((await open(staff, twin)).body.data.duplicates).toMatchObject([{ id: user.userId }]);
  });

  test("answers 404 without a submission, for an unknown user, and 403 to users, and records nothing", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    expect(codeOf(await open(staff, user))).toEqual([404, "not_found"]);
    expect(codeOf(await open(staff, { userId: crypto.randomUUID() }))).toEqual([404, "not_found"]);
    await submit(user);
    expect(codeOf(await open(user, user))).toEqual([403, "permission_denied"]);
    expect(await auditOf(user.userId, "VIEW")).toEqual([]);
  });
});

describe("The queue", () => {
  test("masked, it shows neither whole numbers, identifiers nor links, and records no view (ASVS 14.2.6)", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    await submit(user, whole({ document_number: "CANARY-4711", document_back: file(png()) }));
    const { body } = await queue(staff, "mask=true");
    expect(body.data).toMatchObject({
      total_count: 1,
      results: [
        {
          document_number: "CAN********",
          document_front_url: null,
          document_back_url: null,
          user: { id: user.userId, email: null, phone_number: null },
        },
      ],
    });
    expect(JSON.stringify(body)).not.toContain("4711");
    expect(JSON.stringify(body)).not.toContain(user.identifier.slice(4));
    expect(await auditOf(user.userId, "VIEW")).toEqual([]);
  });

  test("unmasked, it records a view of each person that it shows, and counts all of the status", async () => {
    const staff = await newStaff();
    const users = [await newUser(), await newUser(), await newUser()];
    for (const user of users) {
      await submit(user);
      clock.advance(1);
    }
    const { body } = await queue(staff, "page_size=2");
    expect(body.data.total_count).toBe(3);
    const views = await Promise.all(users.map(({ userId }) => auditOf(userId, "VIEW")));
    expect(views.map((each) => each.map(({ entity_type, actor_id }) => [entity_type, actor_id]))).toEqual([
      [["kyc", staff.userId]],
      [["kyc", staff.userId]],
      [],
    ]);
    expect((await queue(staff, "status=APPROVED")).body.data).toMatchObject({ total_count: 0, results: [] });
  });

  test("ends when the reviewer's views of the hour are used up, and continues an hour later", async () => {
    const staff = await newStaff();
    const users = [await newUser(), await newUser(), await newUser()];
    for (const user of users) {
      await submit(user);
      clock.advance(1);
    }
    const env = { STAFF_VIEWS_PER_HOUR: "2" } as unknown as Partial<Env>;
    const first = await documented("GET", `${KYC}/submissions`, { token: staff.access, env });
    expect(first.body.data.results).toHaveLength(2);
    const path = `${KYC}/submissions?cursor=${first.body.data.next_cursor}`;
    const refused = await documented("GET", path, { token: staff.access, env });
    expect(codeOf(refused)).toEqual([429, "rate_limit_exceeded"]);
    expect((await documented("GET", `${KYC}/submissions?mask=true`, { token: staff.access, env })).status).toBe(200);
    expect(codeOf(await documented("GET", `${USERS}/${users[2]?.userId}/kyc`, { token: staff.access, env }))).toEqual([
      429,
      "rate_limit_exceeded",
    ]);
    expect(await count("from audit_logs where actor_id = ? and action = 'VIEW'", staff.userId)).toBe(2);
    clock.advance(60 * MINUTE - 1);
    const later = await logIn(staff.identifier);
    expect(codeOf(await documented("GET", path, { token: later.access, env }))).toEqual([429, "rate_limit_exceeded"]);
    clock.advance(1);
    const rest = await documented("GET", path, { token: later.access, env });
    expect(rest.body.data.results.map((each: { user: { id: string } }) => each.user.id)).toEqual([users[2]?.userId]);
  });

  test("says which colleague is looking at a case", async () => {
    const [staff, colleague, user] = [await newStaff(), await newStaff(), await newUser()];
    await submit(user);
    await look(colleague, user);
    const seen = async (reviewer: SignedIn) => (await queue(reviewer, "mask=true")).body.data.results[0].seen_by;
    expect(await seen(staff)).toMatchObject({ viewed_at: new Date().toISOString() });
    expect(await seen(colleague)).toBeNull();
    clock.advance(10 * MINUTE);
    expect(await seen(staff)).toBeNull();
  });
});
