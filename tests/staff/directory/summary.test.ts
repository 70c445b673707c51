import { describe, expect, test } from "vitest";
import { emailHint, phoneHint } from "../../../src/staff/directory/hints.ts";
import { run } from "../../support/database.ts";
import { newStaff } from "../../support/kyc.ts";
import { deliverSearch, directory, duringEra, insertPeople, newEra } from "../../support/staff.ts";

describe("The hint", () => {
  test.each([
    ["+9779841234567", "98•••••567"],
    ["+9779841234001", "98•••••001"],
    ["+91123456", "1••456"],
    [null, null],
  ])("of the number %s is %s", (number, hint) => expect(phoneHint(number)).toBe(hint));

  test.each([
    ["asha.gurung@example.com", "as•••@example.com"],
    ["आशा@example.com", "आश•••@example.com"],
    ["ab@example.com", "a•••@example.com"],
    ["a@example.com", "•••@example.com"],
    [null, null],
  ])("of the address %s is %s", (email, hint) => expect(emailHint(email)).toBe(hint));
});

describe("GET users with expand=summary", () => {
  test("adds names and hints to a list and a search, and keeps the order", async () => {
    const staff = await newStaff();
    const era = newEra();
    const mark = `sum${Math.floor(Math.random() * 1e9)}`;
    const people = await insertPeople(
      [0, 1, 2].map((i) => ({
        username: `${mark}.${i}`,
        phone: `+97798412${String(Math.floor(Math.random() * 1e4)).padStart(4, "0")}${i}`,
        email: i === 0 ? `${mark}@example.com` : null,
        joinedAt: era + i,
        lastLoginAt: i === 1 ? era + 5 : null,
        kycStatus: i === 2 ? ("APPROVED" as const) : ("NOT_SUBMITTED" as const),
      })),
    );
    const [first, second, third] = people.map(({ id }) => id);
    await run(
      "insert into profiles (user_id, id, full_name, created_at, updated_at) values (?1, ?1, 'Sita Shrestha', 0, 0)",
      first,
    );
    await deliverSearch(people.map(({ id }) => id));
    for (const query of [duringEra(era), `${duringEra(era)}&ordering=-username`, `search=${mark}`]) {
      const plain = await directory(staff, query);
      const { results } = (await directory(staff, `${query}&expand=summary`)).body.data;
      expect(results.map(({ id }: { id: string }) => id)).toEqual([third, second, first]);
      expect(plain.body.data.results.map(({ id }: { id: string }) => id)).toEqual([third, second, first]);
      expect(plain.body.data.results[0]).not.toHaveProperty("full_name");
      expect(results[2]).toMatchObject({
        full_name: "Sita Shrestha",
        phone_hint: `98•••••${people[0]?.phone?.slice(-3)}`,
        email_hint: `su•••@example.com`,
        kyc_status: "NOT_SUBMITTED",
        role: "user",
        last_login: null,
      });
      expect(results[1]).toMatchObject({
        full_name: null,
        email_hint: null,
        last_login: new Date(era + 5).toISOString(),
      });
      expect(results[0]).toMatchObject({ kyc_status: "APPROVED" });
    }
  });

  test("refuses another value of expand", async () => {
    expect((await directory(await newStaff(), "expand=everything")).status).toBe(400);
  });
});
