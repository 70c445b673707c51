import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { kycReasons } from "../../../src/users/kyc/kyc-reasons.ts";
import { call, type SignedIn } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { rows, run } from "../../support/database.ts";
import { codeOf, decide, documented, KYC, look, newStaff, newUser, submit } from "../../support/kyc.ts";
import { keepSentEvents } from "../../support/recorded-events.ts";
import { auditOf, eventsOf, newAdmin } from "../../support/staff.ts";

beforeAll(keepSentEvents);

const clock = useClock();
beforeEach(() => run("delete from kyc"));

const kycOf = async ({ userId }: SignedIn) => (await rows("select * from kyc where user_id = ?", userId))[0];
const reason = "The certificate turned out to be forged";

async function approved(): Promise<{ user: SignedIn; staff: SignedIn }> {
  const [user, staff] = [await newUser(), await newStaff()];
  await submit(user);
  await look(staff, user);
  expect((await decide(staff, user, { status: "APPROVED" })).status).toBe(200);
  clock.advance(1_000);
  return { user, staff };
}

describe("Taking a decision back", () => {
  test("puts the KYC into the queue again, keeps the reason in the audit log, and tells nobody until it is decided", async () => {
    const { user, staff } = await approved();
    const answer = await decide(staff, user, { status: "PENDING", reason });
    expect([answer.status, answer.body.message]).toEqual([200, "The decision is taken back."]);
    expect(answer.body.data).toMatchObject({ status: "PENDING", verified_at: null, rejection_reason: null });
    expect(await kycOf(user)).toMatchObject({ version: 2, submitted_at: Date.now() });
    expect(await eventsOf(user.userId, "kyc.decided")).toHaveLength(1);
    const audit = (await auditOf(user.userId, "UPDATE")).filter(({ entity_type }) => entity_type === "kyc").at(-1);
    expect(JSON.parse(audit?.old_values ?? "")).toMatchObject({ status: "APPROVED" });
    expect(JSON.parse(audit?.new_values ?? "")).toMatchObject({ status: "PENDING", version: 2, reason });
    expect((await documented("GET", `${KYC}/status`, { token: user.access })).body.data.status).toBe("PENDING");
    // The files must be opened again, although they are the same.
    expect(codeOf(await decide(staff, user, { status: "APPROVED" }))).toEqual([409, "kyc_not_viewed"]);
    expect((await submit(user)).status, "the person may submit anew").toBe(201);
    expect((await decide(staff, user, { status: "REJECTED", rejection_reason: "Forged" })).status).toBe(200);
    expect(await eventsOf(user.userId, "kyc.decided")).toHaveLength(2);
  });

  test("is shown in the case with who did it and why, until the next decision or submission", async () => {
    const { user, staff } = await approved();
    const colleague = await newStaff();
    const reopened = async () =>
      (await documented("GET", `/api/users/${user.userId}/kyc`, { token: colleague.access })).body.data.reopened;
    expect(await reopened()).toBeNull();
    await decide(staff, user, { status: "PENDING", reason });
    const at = new Date(Date.now()).toISOString();
    expect(await reopened()).toMatchObject({ viewer: { id: staff.userId }, reopened_at: at, reason });
    clock.advance(60_000);
    expect(await reopened()).toMatchObject({ viewer: { id: staff.userId }, reopened_at: at, reason });
    await decide(colleague, user, { status: "REJECTED", rejection_reason: "Forged" });
    expect(await reopened()).toBeNull();
    clock.advance(60_000);
    await submit(user);
    expect(await reopened()).toBeNull();
  });

  test("works after a rejection, for the version that the reviewer saw", async () => {
    const [user, staff] = [await newUser(), await newStaff()];
    await submit(user);
    await decide(staff, user, { status: "REJECTED", rejection_reason: "Blurred" });
    expect(codeOf(await decide(staff, user, { status: "PENDING", reason, version: 2 }))).toEqual([
      409,
      "kyc_version_stale",
    ]);
    expect((await decide(staff, user, { status: "PENDING", reason, version: 1 })).status).toBe(200);
    expect(await kycOf(user)).toMatchObject({ status: "PENDING", rejection_reason: null });
  });

  test("needs a reason, a decision, and the right to change the account", async () => {
    const { user, staff } = await approved();
    for (const json of [{ status: "PENDING" }, { status: "PENDING", reason: " " }]) {
      const answer = await decide(staff, user, json);
      expect(codeOf(answer)).toEqual([400, "validation_error"]);
      expect(Object.keys(answer.body.error.details)).toEqual(["reason"]);
    }
    const [admin, colleague] = [await newAdmin(), await newStaff()];
    await submit(colleague);
    await look(admin, colleague);
    await decide(admin, colleague, { status: "APPROVED" });
    expect(codeOf(await decide(staff, colleague, { status: "PENDING", reason }))).toEqual([403, "permission_denied"]);
    expect(codeOf(await decide(colleague, colleague, { status: "PENDING", reason }))).toEqual([
      403,
      "permission_denied",
    ]);
    expect((await decide(admin, colleague, { status: "PENDING", reason })).status).toBe(200);
    expect(codeOf(await decide(admin, colleague, { status: "PENDING", reason }))).toEqual([409, "conflict"]);
    expect(codeOf(await decide(staff, await newUser(), { status: "PENDING", reason }))).toEqual([404, "not_found"]);
  });
});

describe("Standard reasons", () => {
  test("are nine, each in both languages and at most 255 characters long", () => {
    expect(kycReasons).toHaveLength(9);
    expect(new Set(kycReasons.map(({ code }) => code)).size).toBe(9);
    for (const { code, en, ne } of kycReasons) {
      expect(Math.max(en.length, ne.length), code).toBeLessThanOrEqual(255);
      expect(ne, code).toMatch(/\p{Script=Devanagari}/u);
    }
  });

  test.each(["en", "ne"] as const)("are shown to a person who reads %s in their language", async (locale) => {
    for (const { code, [locale]: text } of kycReasons) {
      const [user, staff] = [await newUser(), await newStaff()];
      await run("update users set locale = ? where id = ?", locale, user.userId);
      await submit(user);
      const rejected = await decide(staff, user, { status: "REJECTED", rejection_code: code });
      expect(rejected.body.data.rejection_reason).toBe(text);
      await decide(staff, user, { status: "PENDING", reason });
      await decide(staff, user, { status: "REJECTED", rejection_code: code, rejection_reason: "Page 2." });
      const { body } = await call("GET", `${KYC}/status`, { token: user.access });
      expect(body.data.rejection_reason).toBe(`${text} Page 2.`);
    }
  });

  test("are refused under an unknown code, and one of code and text is required", async () => {
    const [user, staff] = [await newUser(), await newStaff()];
    await submit(user);
    for (const [json, field] of [
      [{ status: "REJECTED", rejection_code: "UGLY" }, "rejection_code"],
      [{ status: "REJECTED", rejection_code: null }, "rejection_reason"],
    ] as const) {
      const answer = await decide(staff, user, json);
      expect(codeOf(answer)).toEqual([400, "validation_error"]);
      expect(Object.keys(answer.body.error.details)).toEqual([field]);
    }
    expect(await kycOf(user)).toMatchObject({ status: "PENDING" });
  });
});
