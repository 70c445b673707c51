import { beforeAll, describe, expect, test } from "vitest";
import { type Answer, call, type SignedIn, testEnv } from "../../support/client.ts";
import { run } from "../../support/database.ts";
import { runJob } from "../../support/jobs.ts";
import { newStaff, newUser, submit, whole } from "../../support/kyc.ts";
import { deliverSearch, directory, duringEra, idsOf, insertPeople, newEra, walk } from "../../support/staff.ts";

let staff: SignedIn;
const era = newEra();
const mark = Math.floor(Math.random() * 1e9);
const names = ["Sita Shrestha", "Gita  SHRESTHA", "सीता कुमारी श्रेष्ठ", "Ram KC", null];
const ids: string[] = [];

const nameOf = (id: string, fullName: string | null) =>
  run(
    `insert into profiles (user_id, id, full_name, created_at, updated_at) values (?1, ?1, ?2, 0, 0)
      on conflict do update set full_name = excluded.full_name`,
    id,
    fullName,
  );

beforeAll(async () => {
  staff = await newStaff();
  const people = await insertPeople(names.map((_, i) => ({ username: `name${mark}.${i}`, joinedAt: era + i })));
  for (const [i, { id }] of people.entries()) {
    ids.push(id);
    await nameOf(id, names[i] ?? null);
  }
  await deliverSearch(ids);
});

const search = (text: string) => directory(staff, `search=${encodeURIComponent(text)}&${duringEra(era)}`);
/** Positions in `names` of the users found. */
const found = async (text: string) => idsOf(await search(text)).map((id) => ids.indexOf(id));

describe("A search by name", () => {
  test.each([
    ["Sita Shrestha", [0]],
    ["shrestha sita", [0]],
    ["SHRESTHA", [1, 0]],
    ["hrest", [1, 0]],
    ["sit hre", [0]],
    ["श्रेष्ठ सीता", [2]],
    ["कुमारी", [2]],
    ["KC", [3]],
    ["ram k", [3]],
    ["kc ram", [3]],
    ["Ram Shrestha", []],
    ["sita  shrestha  shrestha", [0]],
    ["tash", []],
  ])("for %s finds %j", async (text, expected) => expect(await found(text)).toEqual(expected));

  test("compares every word of a text that has the maximum number of words", async () => {
    const [person] = await insertPeople([{ joinedAt: era + 50 }]);
    const id = person?.id ?? "";
    ids.push(id);
    const words = Array.from({ length: 128 }, (_, i) => String.fromCodePoint(0x4e00 + i));
    await nameOf(id, words.join(" "));
    await run("update users set version = version + 1 where id = ?", id);
    await deliverSearch([id]);
    expect(await found(words.toReversed().join(" "))).toEqual([ids.length - 1]);
    expect(await found([...words.slice(1), "\u5000"].join(" "))).toEqual([]);
  });

  test("reports a match by name as full_name, and a match by username as username", async () => {
    const { results } = (await search("shrestha sita")).body.data;
    expect(results).toMatchObject([{ id: ids[0], matched: "full_name" }]);
    expect((await search(`name${mark}.0`)).body.data.results).toMatchObject([{ matched: "username" }]);
  });

  test("follows a new name, and forgets that of a deleted user", async () => {
    const [person] = await insertPeople([{ joinedAt: era + 100 }]);
    ids.push(person?.id ?? "");
    const at = ids.length - 1;
    await nameOf(person?.id ?? "", "Bimala Khadka");
    await run("update users set version = version + 1 where id = ?", person?.id);
    await deliverSearch([person?.id ?? ""]);
    expect(await found("khadka bimala")).toEqual([at]);
    await nameOf(person?.id ?? "", "Bimala Joshi");
    await run("update users set version = version + 1 where id = ?", person?.id);
    await deliverSearch([person?.id ?? ""]);
    expect([await found("khadka bimala"), await found("joshi bimala")]).toEqual([[], [at]]);
    await run("delete from users where id = ?", person?.id);
    expect(await found("joshi bimala")).toEqual([]);
    await deliverSearch([person?.id ?? ""]);
    const { results } = await testEnv.SEARCH_DB.prepare(
      "select 1 from search_entries where text like '%bimala%'",
    ).all();
    expect(results).toEqual([]);
  });

  test("finds users whose entries are from before names were searched, once the nightly check has run", async () => {
    const [person] = await insertPeople([{ username: `old${mark}`, joinedAt: era + 200 }]);
    const id = person?.id ?? "";
    ids.push(id);
    await deliverSearch([id]);
    await nameOf(id, "Purnima Basnet");
    await run("update users set updated_at = 0 where id = ?", id);
    expect(await found("basnet purnima")).toEqual([]);
    await runJob("check_user_search");
    expect(await found("basnet purnima")).toEqual([ids.length - 1]);
  });
});

describe("A search by a whole value", () => {
  test("finds a referral code in any case, at once", async () => {
    const user = await newUser();
    const { body } = await call("GET", "/api/auth/me", { token: user.access });
    const code: string = body.data.referral_code;
    for (const text of [code, code.toLowerCase(), ` ${code} `]) {
      const { results } = (await directory(staff, `search=${encodeURIComponent(text)}`)).body.data;
      expect(results[0]).toMatchObject({ id: user.userId, matched: "referral_code" });
    }
    expect(idsOf(await directory(staff, `search=${code.slice(0, -1)}`))).not.toContain(user.userId);
  });

  test("finds the users with a document number however it is written, at once, and not by a part of it", async () => {
    const [user, twin] = [await newUser(), await newUser()];
    const number = `77-${mark}-B`;
    await submit(user, whole({ document_number: number }));
    await submit(twin, whole({ document_number: number.toLowerCase().replaceAll("-", "/") }));
    for (const text of [number, `77 ${mark} b`, `77${mark}B`]) {
      const { results } = (await directory(staff, `search=${encodeURIComponent(text)}`)).body.data;
      const matched = results.filter(({ id }: { id: string }) => [user.userId, twin.userId].includes(id));
      expect(matched.map((each: { matched: string }) => each.matched)).toEqual(["document_number", "document_number"]);
    }
    expect(idsOf(await directory(staff, `search=77-${mark}`))).not.toContain(user.userId);
  });

  test("finds all users with a document number, newest first, however few fit on a page", async () => {
    const number = `78-${mark}-C`;
    const owners: string[] = [];
    for (let i = 0; i < 3; i++) {
      const user = await newUser();
      await submit(user, whole({ document_number: number }));
      owners.unshift(user.userId);
    }
    const [other] = await insertPeople([{ username: `78-${mark}-c.d`, joinedAt: era + 300 }]);
    const expected = [...owners, other?.id ?? ""];
    await deliverSearch(expected.slice(1));
    const query = `search=${encodeURIComponent(number)}`;
    for (const size of [1, 2, 3, 4]) {
      expect(await walk(staff, `${query}&page_size=${size}`), `by cursor, ${size}`).toEqual(expected);
      const seen: string[] = [];
      for (let page: number | null = 1; page !== null; ) {
        const answer: Answer = await directory(staff, `${query}&page_size=${size}&page=${page}`);
        seen.push(...idsOf(answer));
        page = answer.body.data.pagination.next_page;
      }
      expect(seen, `by page, ${size}`).toEqual(expected);
    }
    await run("update users set status = 'BANNED' where id in (?, ?)", owners[0], owners[2]);
    expect(await walk(staff, `${query}&status=BANNED&page_size=1`)).toEqual([owners[0], owners[2]]);
  });
});
