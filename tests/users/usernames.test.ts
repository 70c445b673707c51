import { afterEach, describe, expect, test, vi } from "vitest";
import { call, newEmail, newIp, newPhone, signUp, verify } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { rows, run } from "../support/database.ts";
import { codeOf, documented, newStaff, newUser } from "../support/kyc.ts";
import { fakeProviders, newPerson } from "../support/openid.ts";

useClock();
afterEach(() => vi.restoreAllMocks());

/** Spellings of another user's identifier or id as a username. */
const lookalikes = [
  "asha@example.com",
  "ASHA@Example.COM",
  "a.b+c_d-e@mail.example.co",
  "asha@localhost",
  "आशा@उदाहरण.नेपाल",
  "asha＠example.com",
  "9841234567",
  "984-123-4567",
  "984.1234567",
  "984_123_4567",
  "+9779841234567",
  "+977-984-1234567",
  "009779841234567",
  "９８４１２３４５６７",
  "९८४१२३४५६७",
  "+९७७९८४१२३४५६७",
  "٩٨٤١٢٣٤٥٦٧",
  "9\u20e38\u20e34\u20e31\u20e32\u20e33\u20e34\u20e35\u20e36\u20e37\u20e3",
  "+14155552671",
  "014412345",
  "01890f5e-7c1a-7c3b-8a5d-0123456789ab",
  "01890F5E-7C1A-7C3B-8A5D-0123456789AB",
  "01890f5e7c1a7c3b8a5d0123456789ab",
  "01890f5e7c1a7c3b8a5d012345678９\u20e3ab",
];
/** Similar usernames that match no identifier. */
const neighbours = [
  "@asha",
  "asha@",
  "asha.example.com",
  "user_9841234567",
  "9841234567x",
  "98412",
  "+977",
  "01890f5e-7c1a-7c3b",
];

const unique = () => crypto.randomUUID().slice(0, 6);

describe("username at registration", () => {
  test.each(lookalikes)("%s is refused on its field and does not consume the token", async (username) => {
    const identifier = newPhone();
    const proof = { identifier, verification_token: await verify(identifier, { ip: newIp() }) };
    const register = (json: object) => documented("POST", "/api/auth/register", { ip: newIp(), json });
    const refused = await register({ ...proof, username });
    expect(codeOf(refused)).toEqual([400, "validation_error"]);
    expect(Object.keys(refused.body.error.details)).toEqual(["username"]);
    expect((await register({ ...proof, username: `free${unique()}` })).status).toBe(201);
  });

  test.each(neighbours)("%s is accepted", async (username) => {
    await run("delete from users where username = ?", username);
    const identifier = newPhone();
    const proof = { identifier, verification_token: await verify(identifier, { ip: newIp() }) };
    const answer = await call("POST", "/api/auth/register", { ip: newIp(), json: { ...proof, username } });
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    expect(answer.body.data.user.username).toBe(username);
  });

  test.each(["9841234567", "977.9841234567", "01890f5e-7c1a-7c3b-8a5d-0123456789ab"])(
    "generated from an e-mail address with the local part %s differs from it",
    async (local) => {
      const email = `${local}@${unique()}.example.com`;
      const { userId } = await signUp(email, { ip: newIp() });
      const [row] = await rows<{ username: string }>("select username from users where id = ?", userId);
      expect(row?.username).toMatch(/_\d+$/);
      expect(row?.username.startsWith(local)).toBe(true);
    },
  );

  test("a username generated from a Google address differs from the phone number in the address", async () => {
    const providers = fakeProviders();
    const email = `9841234567@${unique()}.example.com`;
    const json = await providers.nativeSignIn("google", newPerson("google", { email, hd: "example.com" }));
    const answer = await call("POST", "/api/auth/google/token", { ip: newIp(), env: providers.env, json });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.body.data.user.username).toMatch(/^9841234567_\d+$/);
  });
});

describe("username set by staff", () => {
  test.each(lookalikes)("is refused on its field if it is %s, for a new account and for a change", async (username) => {
    const [staff, user] = [await newStaff(), await newUser()];
    const token = staff.access;
    const created = await documented("POST", "/api/users", { token, json: { identifier: newEmail(), username } });
    expect(codeOf(created)).toEqual([400, "validation_error"]);
    expect(Object.keys(created.body.error.details)).toEqual(["username"]);
    for (const method of ["PUT", "PATCH"]) {
      const json = { username, reason: "asked" };
      const changed = await documented(method, `/api/users/${user.userId}`, { token, json });
      expect(codeOf(changed)).toEqual([400, "validation_error"]);
      expect(Object.keys(changed.body.error.details)).toEqual(["username"]);
    }
    expect(await rows("select 1 from audit_logs where user_id = ? and action = 'UPDATE'", user.userId)).toEqual([]);
  });

  test("an existing username that would be refused today is accepted if it is unchanged", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    const old = `${unique()}@example.com`;
    await run("update users set username = ?1, username_key = ?1 where id = ?2", old, user.userId);
    const json = { username: old, full_name: "Asha Gurung" };
    const answer = await documented("PATCH", `/api/users/${user.userId}`, { token: staff.access, json });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.body.data).toMatchObject({ username: old, profile: { full_name: "Asha Gurung" } });
  });
});
