import { describe, expect, test } from "vitest";
import { type CallOptions, newEmail, type SignedIn } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { rows, run } from "../../support/database.ts";
import { codeOf, decide, documented, look, newStaff, newUser, promote, submit } from "../../support/kyc.ts";
import { newAdmin } from "../../support/staff.ts";

useClock();

const reason = "asked by phone";

/** Every staff write on an account, with its request. */
const writes: Record<string, [method: string, path: string, options: () => CallOptions]> = {
  "its profile by PATCH": ["PATCH", "", () => ({ json: { full_name: "Changed Name" } })],
  "its profile by PUT": ["PUT", "", () => ({ json: { address: "Changed" } })],
  "its picture": ["PATCH", "", () => ({ json: { profile_picture: "https://example.com/changed.png" } })],
  "its username": ["PATCH", "", () => ({ json: { username: `changed_${crypto.randomUUID().slice(0, 8)}`, reason } })],
  "its e-mail address": ["PATCH", "", () => ({ json: { email: newEmail(), reason } })],
  "its status": ["POST", "/status", () => ({ json: { status: "BANNED", reason } })],
  "its locks": ["POST", "/unlock", () => ({ json: { reason } })],
  "its sessions": ["DELETE", "/sessions", () => ({ json: {} })],
  "its KYC by approval": ["PATCH", "/kyc", () => ({ json: { status: "APPROVED" } })],
  "its KYC by rejection": ["PATCH", "/kyc", () => ({ json: { status: "REJECTED", rejection_reason: "no" } })],
};

const recordOf = async ({ userId }: SignedIn) =>
  JSON.stringify([
    await rows("select * from users where id = ?", userId),
    await rows("select * from profiles where user_id = ?", userId),
    await rows("select id, revoked_at from sessions where user_id = ? order by id", userId),
    await rows("select status, version, verified_at, rejection_reason from kyc where user_id = ?", userId),
    await rows(
      "select * from otp_class_guards where identifier = (select phone_number from users where id = ?)",
      userId,
    ),
    await rows("select count(*) as n from audit_logs where user_id = ? and action <> 'VIEW'", userId),
  ]);

/** A user with a lock and a pending KYC whose files each reviewer has opened. */
async function withKyc(person: SignedIn, ...reviewers: SignedIn[]): Promise<SignedIn> {
  expect((await submit(person)).status).toBe(201);
  await run(
    "insert or replace into otp_class_guards (identifier, network_class, failures, streak, locked_until, locked_by, last_guess_at) values (?, 'other', '[]', 1, 0, '', 0)",
    person.identifier,
  );
  for (const reviewer of reviewers) await look(reviewer, person);
  return person;
}

const write = (name: string, actor: SignedIn, target: SignedIn) => {
  const [method, path, options] = writes[name] as (typeof writes)[string];
  return documented(method, `/api/users/${target.userId}${path}`, { token: actor.access, ...options() });
};

describe.each(Object.keys(writes))("changing an account: %s", (name) => {
  test("is refused to staff if the account belongs to staff, an admin or themselves", async () => {
    const [staff, colleague, admin] = [await newStaff(), await newStaff(), await newAdmin()];
    for (const target of [colleague, admin, staff]) {
      await withKyc(target, staff);
      const before = await recordOf(target);
      expect(codeOf(await write(name, staff, target))).toEqual([403, "permission_denied"]);
      expect(await recordOf(target)).toBe(before);
    }
  });

  test("is allowed to an admin for staff and other admins, but not for their own account", async () => {
    const [admin, staff, other] = [await newAdmin(), await newStaff(), await newAdmin()];
    for (const target of [staff, other]) {
      await withKyc(target, admin);
      expect((await write(name, admin, target)).status).toBe(200);
    }
    await withKyc(admin, admin);
    const before = await recordOf(admin);
    expect(codeOf(await write(name, admin, admin))).toEqual([403, "permission_denied"]);
    expect(await recordOf(admin)).toBe(before);
  });

  test("is allowed to staff for a user's account until the staff member is demoted or the user is promoted", async () => {
    const [staff, demoted] = [await newStaff(), await newStaff()];
    const user = await withKyc(await newUser(), staff, demoted);
    const before = await recordOf(user);
    await run("update users set role = 'user' where id = ?", demoted.userId);
    expect(codeOf(await write(name, demoted, user))).toEqual([403, "permission_denied"]);
    expect(await recordOf(user)).toBe(before);
    expect((await write(name, staff, user)).status).toBe(200);
    const promoted = await withKyc(await newUser(), staff);
    await promote(promoted);
    const standing = await recordOf(promoted);
    expect(codeOf(await write(name, staff, promoted))).toEqual([403, "permission_denied"]);
    expect(await recordOf(promoted)).toBe(standing);
  });
});

describe("a refused KYC decision", () => {
  test("has an error code for each reason", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    await submit(user);
    expect(codeOf(await decide(staff, user, { status: "APPROVED" }))).toEqual([409, "kyc_not_viewed"]);
    expect(codeOf(await decide(staff, user, { status: "APPROVED", version: 9 }))).toEqual([409, "kyc_version_stale"]);
    await look(staff, user);
    expect((await decide(staff, user, { status: "APPROVED" })).status).toBe(200);
    for (const json of [{ status: "APPROVED" }, { status: "REJECTED", rejection_reason: "no" }]) {
      expect(codeOf(await decide(staff, user, json))).toEqual([409, "kyc_already_approved"]);
    }
    const other = await newUser();
    await submit(other);
    expect((await decide(staff, other, { status: "REJECTED", rejection_reason: "no" })).status).toBe(200);
    expect(codeOf(await decide(staff, other, { status: "APPROVED" }))).toEqual([409, "conflict"]);
  });
});
