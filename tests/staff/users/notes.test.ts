import { describe, expect, test } from "vitest";
import type { SignedIn } from "../../support/client.ts";
import { run } from "../../support/database.ts";
import { codeOf, documented, newStaff, newUser } from "../../support/kyc.ts";
import { newAdmin, USERS } from "../../support/staff.ts";

const add = (staff: SignedIn, { userId }: { userId: string }, text: unknown) =>
  documented("POST", `${USERS}/${userId}/notes`, { token: staff.access, json: { text } });
const logs = (staff: SignedIn, { userId }: SignedIn, query: string) =>
  documented("GET", `${USERS}/${userId}/audit-logs?${query}`, { token: staff.access });

describe("POST users/{id}/notes", () => {
  test("adds a note to the audit log, on one line, with its author", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    const { status, body } = await add(staff, user, " Called about a code.\n It came. ");
    expect(status).toBe(201);
    expect(body.data).toMatchObject({
      action: "CREATE",
      entity_type: "note",
      new_values: { text: "Called about a code. It came." },
      actor: { id: staff.userId, username: expect.any(String) },
      by_staff: true,
    });
    const { results } = (await logs(staff, user, "entity_type=note")).body.data;
    expect(results).toEqual([body.data]);
  });

  test("accepts 1,000 characters and refuses more, none and control characters", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    expect((await add(staff, user, "x".repeat(1_000))).status).toBe(201);
    for (const text of ["x".repeat(1_001), "", " ", undefined, "a\u0000b", 1.5]) {
      expect(codeOf(await add(staff, user, text)), String(text)).toEqual([400, "validation_error"]);
    }
    expect((await logs(staff, user, "entity_type=note")).body.data.results).toHaveLength(1);
  });

  test("about colleagues is for admins, and about oneself for nobody", async () => {
    const [staff, colleague, admin] = [await newStaff(), await newStaff(), await newAdmin()];
    expect(codeOf(await add(staff, colleague, "x"))).toEqual([403, "permission_denied"]);
    expect(codeOf(await add(staff, staff, "x"))).toEqual([403, "permission_denied"]);
    expect(codeOf(await add(admin, admin, "x"))).toEqual([403, "permission_denied"]);
    expect((await add(admin, colleague, "x")).status).toBe(201);
    expect(codeOf(await add(admin, { userId: crypto.randomUUID() }, "x"))).toEqual([404, "not_found"]);
  });
});

describe("an audit log of one entity type", () => {
  test("is empty for a deleted user without such an entry, and not found for an unknown one", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    const deleted = await documented("DELETE", "/api/auth/account", { token: user.access, json: {} });
    expect(deleted.status).toBe(200);
    const unknown = { ...user, userId: crypto.randomUUID() };
    for (const query of ["entity_type=note", "entity_type=note&mask=true"]) {
      const { status, body } = await logs(staff, user, query);
      expect([status, body.data], query).toEqual([200, { results: [], next_cursor: null }]);
      expect(codeOf(await logs(staff, unknown, query)), query).toEqual([404, "not_found"]);
    }
  });

  test("is complete when its pages are followed, however many other entries lie between", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    const insert = (type: string, from: number, to: number) =>
      run(
        `with recursive n(value) as (select ?3 union all select value + 1 from n where value < ?4)
          insert into audit_logs (id, user_id, action, entity_type, entity_id, by_staff, created_at)
          select printf('%08d-0000-7000-8000-%s', value, ?5), ?1, 'UPDATE', ?2, 'x', 0, 0 from n`,
        user.userId,
        type,
        from,
        to,
        crypto.randomUUID().slice(-12),
      );
    // The newest three, one exactly at the end of a scan of 300 rows, and the oldest.
    await insert("oldest", 1, 1);
    await insert("filler", 2, 698);
    await insert("thing", 699, 699);
    await insert("filler", 700, 995);
    await insert("thing", 996, 998);
    const read = async (type: string) => {
      const seen: string[] = [];
      for (let cursor = "", pages = 0; pages < 10; pages++) {
        const { body } = await logs(staff, user, `entity_type=${type}&page_size=2${cursor}`);
        seen.push(...body.data.results.map((each: { id: string }) => each.id.slice(0, 8)));
        if (body.data.next_cursor === null) return seen;
        cursor = `&cursor=${body.data.next_cursor}`;
      }
      throw new Error("too many pages");
    };
    expect(await read("thing")).toEqual(["00000998", "00000997", "00000996", "00000699"]);
    expect(await read("oldest")).toEqual(["00000001"]);
    expect(await read("nothing")).toEqual([]);
    const { body } = await logs(staff, user, "entity_type=thing&page_size=2");
    const other = await logs(staff, user, `entity_type=filler&cursor=${body.data.next_cursor}`);
    expect(codeOf(other)).toEqual([400, "validation_error"]);
  });
});
