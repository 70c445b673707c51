import { afterEach, describe, expect, it, test, vi } from "vitest";
import { call, newIp, requestCode, signUp, testEnv } from "../support/client.ts";
import { newStaff } from "../support/kyc.ts";
import { fakeProviders, newPerson } from "../support/openid.ts";
import { deliverSearch, directory, idsOf, USERS } from "../support/staff.ts";

afterEach(() => vi.restoreAllMocks());

let serial = Math.floor(Math.random() * 1e9);
/** A part of an address that no other test uses. */
const unique = () => `u${(serial++).toString(36)}`;

const request = (identifier: string) => call("POST", "/api/auth/otp/request", { ip: newIp(), json: { identifier } });
const detail = (identifier: string) =>
  request(identifier).then(({ body }) => body.error?.fields?.identifier?.[0]?.code);

describe("an e-mail address", () => {
  it.each([
    "r&d",
    "first/last",
    "a=b",
    "o'brien",
    "x_y",
    "_",
    "-",
    "!#$%&'*+/=?^_`{|}~-",
    "one.two.three",
    "5",
    "plus+tag",
  ])("may have %s before the @, and receives a code", async (local) => {
    const address = `${local}@${unique()}.example`;
    expect(await requestCode(address, { ip: newIp() })).toMatch(/^\d{6}$/);
  });

  it.each([
    "",
    ".a",
    "a.",
    "a..b",
    "a b",
    '"a b"',
    "a,b",
    "a;b",
    "a<b",
    "a(b)",
    "a:b",
    "a\\b",
    "रम",
    "josé",
    "a\nb",
    "a@b",
  ])("refuses %j before the @", async (local) => {
    expect(await detail(`${local}@example.com`)).toBe("not_email");
  });

  it.each([
    ["münchen", "xn--mnchen-3ya", "de"],
    ["MÜNCHEN", "xn--mnchen-3ya", "de"],
    ["straße", "xn--strae-oqa", "de"],
    ["नेपाल", "xn--l2bey1c2b", "भारत"],
    ["пример", "xn--e1afmkfd", "рф"],
  ])("in a domain like %s equals the address in its ASCII form", async (label, ascii, top) => {
    const sub = unique();
    const topAscii = new URL(`http://x.${top}`).hostname.slice(2);
    const canonical = `ram@${sub}.${ascii}.${topAscii}`;
    const code = await requestCode(canonical, { ip: newIp() });
    for (const typed of [
      `Ram@${sub}.${label}.${top}`,
      `ram＠${sub}．${label}。${top}`,
      `ram@${sub}.${label}.${top}.`,
    ]) {
      const json = { identifier: typed, otp: code === "000000" ? "111111" : "000000" };
      const guess = await call("POST", "/api/auth/otp/verify", { ip: newIp(), json });
      expect([guess.status, guess.body.error.code], typed).toEqual([400, "invalid_otp"]);
    }
    const json = { identifier: `RAM@${sub.toUpperCase()}.${label}.${top}`, otp: code };
    expect((await call("POST", "/api/auth/otp/verify", { ip: newIp(), json })).status).toBe(200);
  });

  it.each([
    "localhost",
    "x..com",
    ".x.com",
    "x.com..",
    "-x.com",
    "x-.com",
    "a.-x.com",
    "ö-.com",
    "x_y.com",
    "x y.com",
    "1.2.3.4",
    "0x7f.1",
    "[1.2.3.4]",
    "[::1]",
    "x.com:25",
    "x.com/a",
    "x.com?a",
    "x.com#a",
    "u%40x.com",
    "x.c",
    "x.123",
    "xn--.com",
    "℀.com",
  ])("refuses %s after the @", async (domain) => {
    expect(await detail(`ram@${domain}`)).toBe("not_email");
  });

  it("has at most 64 octets before the @, 63 in a label and 254 in total", async () => {
    const local = (length: number) => unique().padEnd(length, "a");
    const label = (length: number) => unique().padEnd(length, "b");
    expect((await request(`${local(64)}@example.com`)).status).toBe(200);
    expect(await detail(`${local(65)}@example.com`)).toBe("not_email");
    expect((await request(`ram@${label(63)}.com`)).status).toBe(200);
    expect(await detail(`ram@${label(64)}.com`)).toBe("not_email");
    const domain = `${"c".repeat(63)}.${"d".repeat(63)}.${"e".repeat(57)}.com`;
    expect((await request(`${local(64)}@${domain}`)).status).toBe(200);
    expect(await detail(`${local(64)}@${domain.replace("e.com", "ee.com")}`)).toBe("too_long");
    // The label of ü and 49 times e has 57 octets in ASCII, so these addresses also have 254 and 255.
    const international = (count: number) => `${"c".repeat(63)}.${"d".repeat(63)}.ü${"e".repeat(count)}.com`;
    expect((await request(`${local(64)}@${international(49)}`)).status).toBe(200);
    expect(await detail(`${local(64)}@${international(50)}`)).toBe("not_email");
    // Only its ASCII form is too long.
    expect(await detail(`${local(64)}@${`${"ü".repeat(20)}.`.repeat(7)}com`)).toBe("not_email");
    expect(await detail(`ram@${"ü".repeat(60)}.com`)).toBe("not_email");
  });

  it("may be pasted as a link, between direction marks or in full width", async () => {
    const address = `${unique()}@pasted.example`;
    const code = await requestCode(address, { ip: newIp() });
    for (const identifier of [
      `mailto:${address}`,
      `MAILTO:\u2068${address}\u2069`,
      ` ${address.replace("@", "＠")}\u200b`,
    ]) {
      const json = { identifier, otp: code === "000000" ? "111111" : "000000" };
      const guess = await call("POST", "/api/auth/otp/verify", { ip: newIp(), json });
      expect([guess.status, guess.body.error.code], identifier).toEqual([400, "invalid_otp"]);
    }
    expect(await detail(`mailto:${address}?subject=hello`)).toBe("not_email");
  });

  it("with a tag is a separate identity", async () => {
    const domain = `${unique()}.example`;
    const plain = await signUp(`ram@${domain}`, { ip: newIp() });
    const tagged = await signUp(`ram+shop@${domain}`, { ip: newIp() });
    expect(tagged.userId).not.toBe(plain.userId);
  });
});

describe("the same rule holds for", () => {
  test("a test identifier of the configuration", async () => {
    const sub = unique();
    const until = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    for (const [configured, typed] of [
      [`Review@${sub}.münchen.de`, `review@${sub}.xn--mnchen-3ya.de`],
      [`r&d/1@${sub}.example.`, `R&D/1@${sub}.example`],
    ] as const) {
      const env = {
        TEST_IDENTIFIERS: JSON.stringify([{ identifier: configured, code: "424242", until }]),
      } as unknown as Partial<Env>;
      await call("POST", "/api/auth/otp/request", { ip: newIp(), env, json: { identifier: typed } });
      const json = { identifier: typed, otp: "424242" };
      expect((await call("POST", "/api/auth/otp/verify", { ip: newIp(), env, json })).status, configured).toBe(200);
    }
  });

  test("an account that staff create, change and search for", async () => {
    const { access: token } = await newStaff();
    const sub = unique();
    const made = await call("POST", USERS, { token, json: { identifier: `Sita@${sub}.münchen.de` } });
    expect([made.status, made.body.data.email]).toEqual([201, `sita@${sub}.xn--mnchen-3ya.de`]);
    const twice = await call("POST", USERS, { token, json: { identifier: `sita@${sub}.XN--mnchen-3ya.de.` } });
    expect([twice.status, twice.body.error.code]).toEqual([409, "user_already_exists"]);
    const { id } = made.body.data;
    const whole = `search=${encodeURIComponent(`Sita@${sub}.münchen.de`)}`;
    expect(idsOf(await directory({ access: token } as never, whole))).toEqual([id]);
    const change = { email: `r&d/x@${sub}.пример.рф`, reason: "moved" };
    const changed = await call("PATCH", `${USERS}/${id}`, { token, json: change });
    expect([changed.status, changed.body.data?.email]).toEqual([200, `r&d/x@${sub}.xn--e1afmkfd.xn--p1ai`]);
    await deliverSearch([id]);
    for (const text of [`${sub}.пример.рф`, `x@${sub}.пример.рф`, `${sub}.xn--e1afmkfd`, "r&d/x@"]) {
      expect(idsOf(await directory({ access: token } as never, `search=${encodeURIComponent(text)}`)), text).toContain(
        id,
      );
    }
    for (const email of ["a..b@example.com", "ram@-x.com"]) {
      const refused = await call("PATCH", `${USERS}/${id}`, { token, json: { email, reason: "moved" } });
      expect([refused.status, refused.body.error.fields]).toEqual([400, { email: [{ code: "not_email" }] }]);
    }
  });

  test("an address that Google vouches for", async () => {
    const providers = fakeProviders();
    const signIn = async (email: string) => {
      const json = await providers.nativeSignIn("google", newPerson("google", { email, hd: "example.com" }));
      return call("POST", "/api/auth/google/token", { ip: newIp(), env: providers.env, json });
    };
    const emailOf = (id: string) =>
      testEnv.DB.prepare("select email from users where id = ?").bind(id).first<string | null>("email");
    const sub = unique();
    const known = await signUp(`o'brien@${sub}.xn--mnchen-3ya.de`, { ip: newIp() });
    const again = await signIn(`O'Brien@${sub}.münchen.de`);
    expect([again.status, again.body.data?.user_id]).toEqual([200, known.userId]);
    const made = await signIn(`R&D@${sub}.straße.de.`);
    expect(await emailOf(made.body.data?.user_id)).toBe(`r&d@${sub}.xn--strae-oqa.de`);
    // Neither text is an address, so the account has none and matches no other user.
    for (const email of [`\u212Aim@${sub}.example`, `a..b@${sub}.example`]) {
      const answer = await signIn(email);
      expect([answer.status, await emailOf(answer.body.data?.user_id)], email).toEqual([200, null]);
    }
  });

  test("an address that Apple vouches for", async () => {
    const providers = fakeProviders();
    const local = unique();
    for (const [email, kept] of [
      [`R&D.${local}@ICLOUD.com.`, `r&d.${local}@icloud.com`],
      [`O'Brien/${local}@ｉｃｌｏｕｄ．com`, `o'brien/${local}@icloud.com`],
      [`.${local}@icloud.com`, null],
      [`${"x".repeat(65)}@icloud.com`, null],
    ] as const) {
      const json = await providers.nativeSignIn("apple", newPerson("apple", { email }));
      const answer = await call("POST", "/api/auth/apple/token", { ip: newIp(), env: providers.env, json });
      const id = answer.body.data?.user_id;
      const row = await testEnv.DB.prepare("select email from users where id = ?")
        .bind(id)
        .first<string | null>("email");
      expect([answer.status, row], email).toEqual([200, kept]);
    }
  });
});
