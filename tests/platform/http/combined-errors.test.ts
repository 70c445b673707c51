import { beforeAll, describe, expect, test } from "vitest";
import { call, newIp, newPhone, type SignedIn, signUp } from "../../support/client.ts";
import { promote } from "../../support/kyc.ts";

let user: SignedIn;
let staff: SignedIn;
beforeAll(async () => {
  user = await signUp(undefined, { ip: newIp() });
  staff = await signUp(undefined, { ip: newIp() });
  await promote(staff);
});

const FUTURE_DATE = new Date(Date.now() + 2 * 24 * 60 * 60 * 1000).toISOString().slice(0, 10);
/** A mobile number of Germany, to which no code is sent. */
const ABROAD = "+4915123456789";

/** The codes of a refusal by field. */
async function codesOf(method: string, path: string, json: Record<string, unknown>, token?: string) {
  const answer = await call(method, path, { json, ip: newIp(), ...(token ? { token } : {}) });
  expect(answer.status, JSON.stringify(answer.body)).toBe(400);
  const fields = Object.entries(answer.body.error.fields as Record<string, { code: string }[]>);
  return Object.fromEntries(fields.map(([name, errors]) => [name, errors.map(({ code }) => code)]));
}

describe("One response names every invalid field:", () => {
  test("a birth date in the future and invalid texts", async () => {
    const json = { date_of_birth: FUTURE_DATE, full_name: "x", avatar_url: "http://example.com" };
    for (const method of ["PUT", "PATCH"]) {
      expect(await codesOf(method, "/api/users/profile", json, user.access)).toEqual({
        date_of_birth: ["not_in_past"],
        full_name: ["too_short"],
        avatar_url: ["not_https_url"],
      });
    }
    const { data } = (await call("GET", "/api/users/profile", { token: user.access })).body;
    expect([data.date_of_birth, data.full_name]).toEqual([null, null]);
  });

  test.each([
    [ABROAD, "country_not_supported"],
    ["+9779841", "unknown_phone"],
    ["nobody", "not_identifier"],
    ["a@b", "not_email"],
  ])("the identifier %s with an invalid code and an invalid username", async (identifier, code) => {
    expect(await codesOf("POST", "/api/auth/otp/verify", { identifier, otp: "12x" })).toEqual({
      identifier: [code],
      otp: ["not_otp"],
    });
    expect(await codesOf("POST", "/api/auth/register", { identifier, username: "a b" })).toEqual({
      identifier: [code],
      verification_token: ["required"],
      username: ["username_characters"],
    });
    expect(await codesOf("POST", "/api/auth/otp/request", { identifier, purpose: "NOPE" })).toEqual({
      identifier: [code],
      purpose: ["not_allowed"],
    });
  });

  test("both identifiers, the birth date and the reason when staff change a user", async () => {
    const json = {
      email: "a@b",
      phone_number: ABROAD,
      date_of_birth: FUTURE_DATE,
      reason: "\u200b",
      full_name: "Asha",
    };
    expect(await codesOf("PATCH", `/api/users/${user.userId}`, json, staff.access)).toEqual({
      email: ["not_email"],
      phone_number: ["country_not_supported"],
      date_of_birth: ["not_in_past"],
      reason: ["blank"],
    });
    const created = { identifier: ABROAD, date_of_birth: FUTURE_DATE, username: "a b" };
    expect(await codesOf("POST", "/api/users", created, staff.access)).toEqual({
      identifier: ["country_not_supported"],
      date_of_birth: ["not_in_past"],
      username: ["username_characters"],
    });
  });

  test("checks that compare fields and checks of single fields", async () => {
    const ban = { status: "BANNED", reason: "" };
    expect(await codesOf("POST", `/api/users/${user.userId}/status`, ban, staff.access)).toEqual({
      reason: ["required_unless_active"],
    });
    const decision = { status: "REJECTED", version: "1e2" };
    expect(await codesOf("PATCH", `/api/users/${user.userId}/kyc`, decision, staff.access)).toEqual({
      rejection_reason: ["required_when_rejected"],
      version: ["not_number"],
    });
    const query = "start_date=2026-02-01&end_date=2026-01-31&page_size=0x2&ordering=age";
    const answer = await call("GET", `/api/users?${query}`, { token: staff.access });
    expect(Object.keys(answer.body.error.fields).sort()).toEqual(["end_date", "ordering", "page_size"]);
  });

  test("none if every field is valid", async () => {
    const phone = newPhone();
    expect((await call("POST", "/api/auth/otp/request", { json: { identifier: phone }, ip: newIp() })).status).toBe(
      200,
    );
    const json = { date_of_birth: "2000-01-01", full_name: "Asha Gurung" };
    expect((await call("PATCH", "/api/users/profile", { json, token: user.access })).status).toBe(200);
  });
});
