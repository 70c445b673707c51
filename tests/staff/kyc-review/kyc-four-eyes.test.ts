import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { SignedIn } from "../../support/client.ts";
import { rows, run } from "../../support/database.ts";
import { amend, codeOf, documented, look, newNumber, newStaff, newUser, submit } from "../../support/kyc.ts";
import { keepSentEvents } from "../../support/recorded-events.ts";
import { auditOf, eventsOf, USERS } from "../../support/staff.ts";

beforeAll(keepSentEvents);

beforeEach(() => run("delete from kyc"));

const env = { KYC_APPROVALS: "2" } as unknown as Partial<Env>;
const decide = (reviewer: SignedIn, { userId }: SignedIn, json: object) =>
  documented("PATCH", `${USERS}/${userId}/kyc`, { token: reviewer.access, json, env });
const approve = (reviewer: SignedIn, user: SignedIn) => decide(reviewer, user, { status: "APPROVED" });
const kycOf = async ({ userId }: SignedIn) => (await rows("select * from kyc where user_id = ?", userId))[0];

async function waiting() {
  const [user, first, second] = [await newUser(), await newStaff(), await newStaff()];
  await submit(user);
  await look(first, user);
  await look(second, user);
  return { user, first, second };
}

describe("With KYC_APPROVALS=2", () => {
  test("the first approval leaves the KYC pending, and another reviewer's completes it", async () => {
    const { user, first, second } = await waiting();
    const one = await approve(first, user);
    expect(one.status).toBe(200);
    expect(one.body.data).toMatchObject({ status: "PENDING", verified_at: null });
    expect(one.body.message).toMatch(/A colleague has to approve next/);
    expect(await eventsOf(user.userId, "kyc.decided")).toEqual([]);
    const open = await documented("GET", `${USERS}/${user.userId}/kyc`, { token: second.access, env });
    expect(open.body.data).toMatchObject({
      approvals_needed: 2,
      approvals: [{ viewer: { id: first.userId }, approved_at: expect.any(String) }],
    });
    const again = await approve(first, user);
    expect(codeOf(again)).toEqual([409, "conflict"]);
    expect(again.body.error.message).toMatch(/A colleague has to approve next/);
    const two = await approve(second, user);
    expect(two.body.data).toMatchObject({ status: "APPROVED", verified_at: expect.any(String) });
    expect(await eventsOf(user.userId, "kyc.decided")).toHaveLength(1);
    const audit = (await auditOf(user.userId, "UPDATE")).filter((each) => each.entity_type === "kyc" && each.by_staff);
    expect(audit.map((each) => [each.actor_id, JSON.parse(each.new_values).status])).toEqual([
      [first.userId, "PENDING"],
      [second.userId, "APPROVED"],
    ]);
    expect(JSON.parse(audit[0]?.new_values ?? "")).toMatchObject({ first_approved_by: first.userId });
  });

  test("each of the two must have opened the files", async () => {
    const { user, first } = await waiting();
    await approve(first, user);
    expect(codeOf(await approve(await newStaff(), user))).toEqual([409, "kyc_not_viewed"]);
  });

  test.each([
    ["another submission", (_: SignedIn, user: SignedIn) => submit(user)],
    [
      "a change of the number",
      (_: SignedIn, user: SignedIn) => amend(user, { json: { document_number: newNumber() } }),
    ],
    [
      "a rejection that is taken back",
      async (staff: SignedIn, user: SignedIn) => {
        await decide(staff, user, { status: "REJECTED", rejection_code: "EXPIRED" });
        return decide(staff, user, { status: "PENDING", reason: "A mistake" });
      },
    ],
  ])("%s forgets the first approval", async (_, change) => {
    const { user, first, second } = await waiting();
    await approve(first, user);
    expect((await change(second, user)).status).toBeLessThan(300);
    expect(await kycOf(user)).toMatchObject({ first_approved_by: null, first_approved_at: null });
    await look(second, user);
    expect((await approve(second, user)).body.data.status).toBe("PENDING");
    expect(await kycOf(user)).toMatchObject({ first_approved_by: second.userId });
  });
});
