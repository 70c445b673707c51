import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { call, newIp, newPhone, type SignedIn, signUp } from "../../support/client.ts";
import { document } from "../../support/corpus/pdfs.ts";
import { fileType } from "../../support/corpus/pictures.ts";
import { ascii, file, jpeg, png } from "../../support/documents.ts";
import { promote } from "../../support/kyc.ts";
import { fakeProviders } from "../../support/openid.ts";

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

const protectedPdf = () => document({ objects: ["<</Filter/Standard>>"], trailer: "/Encrypt 4 0 R" });
afterEach(() => vi.restoreAllMocks());

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

  test.each<[string, Record<string, string | File>, Record<string, string[]>]>([
    [
      "a HEIC and a number that is too short",
      { document_number: "1", document_front: file(fileType("heic", "mif1")) },
      { document_number: ["too_short"], document_front: ["picture_format"] },
    ],
    [
      "two unreadable files and a type that is too long",
      {
        document_number: "12-34-56",
        document_type: "T".repeat(51),
        document_front: file(jpeg().slice(0, 60)),
        document_back: file(ascii("a photo of my passport")),
      },
      { document_type: ["too_long"], document_front: ["file_damaged"], document_back: ["not_document"] },
    ],
    [
      "a damaged back without a front",
      { document_number: "12-34-56", document_back: file(png().slice(0, 40)) },
      { document_front: ["file_required"], document_back: ["file_damaged"] },
    ],
    [
      "an empty front and a back that needs a password",
      { document_number: "\u200b", document_front: file(new Uint8Array()), document_back: file(protectedPdf()) },
      { document_number: ["blank"], document_front: ["file_empty"], document_back: ["pdf_password"] },
    ],
    [
      "no error of a file that is accepted",
      { document_number: "-----", document_front: file(jpeg()) },
      { document_number: ["no_letters_or_digits"] },
    ],
  ])("%s, when documents are submitted", async (_, multipart, codes) => {
    const { access: token } = await signUp(undefined, { ip: newIp() });
    const answer = await call("POST", "/api/users/kyc", { token, multipart });
    expect(answer.status, JSON.stringify(answer.body)).toBe(400);
    const fields = Object.entries(answer.body.error.fields as Record<string, { code: string }[]>);
    expect(Object.fromEntries(fields.map(([name, errors]) => [name, errors.map(({ code }) => code)]))).toEqual(codes);
  });

  test("an address that is not registered for the app, and the missing code challenge", async () => {
    const { env } = fakeProviders();
    for (const redirect_uri of ["https://attacker.example/", "com.example.other:/signed-in"]) {
      const query = new URLSearchParams({ redirect_uri });
      const answer = await call("GET", `/api/auth/google/login?${query}`, { ip: newIp(), env });
      expect([answer.status, answer.body.error.fields]).toEqual([
        400,
        {
          redirect_uri: [{ code: "redirect_uri_not_allowed" }],
          code_challenge: [{ code: "required_with_redirect_uri" }],
        },
      ]);
    }
  });

  test("a username that reads as an identifier, and the reason that its change needs", async () => {
    for (const username of ["9841234567", "asha@example.com"]) {
      expect(await codesOf("PATCH", `/api/users/${user.userId}`, { username }, staff.access)).toEqual({
        username: ["username_reads_as_identifier"],
        reason: ["required_for_identifier_change"],
      });
    }
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
