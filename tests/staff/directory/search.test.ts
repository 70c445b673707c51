import { beforeAll, describe, expect, test } from "vitest";
import { call, newEmail, newPhone, type SignedIn, testEnv } from "../../support/client.ts";
import { codeOf, documented, newStaff, newUser } from "../../support/kyc.ts";
import {
  deliverSearch,
  directory,
  duringEra,
  idsOf,
  insertPeople,
  newEra,
  type Person,
  person,
  USERS,
  walk,
} from "../../support/staff.ts";

let staff: SignedIn;
beforeAll(async () => {
  staff = await newStaff();
});

const searching = (text: string, more = "") =>
  directory(staff, `search=${encodeURIComponent(text)}${more && `&${more}`}`);
const find = async (text: string, more = "") => idsOf(await searching(text, more));

/** A text of letters that occurs in no other user's name or address. */
const newMark = () => `q${crypto.randomUUID().replace(/[^a-f]/g, "")}${Math.floor(Math.random() * 1e9).toString(36)}`;

describe("a user created a second ago", () => {
  test("is found by the full phone number in any spelling, by username and by id", async () => {
    const phone = newPhone();
    const { userId } = await person(phone);
    const national = phone.slice(4);
    const dashed = `${national.slice(0, 3)}-${national.slice(3)}`;
    const forms = [
      phone,
      national,
      `+977 ${dashed}`,
      `00977${national}`,
      `977${national}`,
      ` ${dashed} `,
      `0${national}`,
    ];
    const devanagari = [...national].map((digit) => String.fromCharCode(0x966 + Number(digit))).join("");
    const me = await call("GET", `${USERS}/${userId}`, { token: staff.access });
    const { username } = me.body.data;
    for (const text of [...forms, devanagari, username, username.toUpperCase(), userId, userId.toUpperCase()]) {
      expect(await find(text), text).toContain(userId);
    }
    for (const text of [phone, national, username, userId]) expect(await find(text), text).toEqual([userId]);
  });

  test("is found by the full email address in upper or lower case", async () => {
    const email = newEmail();
    const { userId } = await person(email);
    for (const text of [email, email.toUpperCase(), ` ${email} `]) expect(await find(text)).toEqual([userId]);
  });

  test("is found if staff created the account, and by a username that was just changed", async () => {
    const [phone, username] = [newPhone(), newMark()];
    const token = staff.access;
    const made = await documented("POST", USERS, { token, json: { identifier: phone, username } });
    const { id } = made.body.data;
    expect(await find(phone)).toEqual([id]);
    expect(await find(username)).toEqual([id]);
    const renamed = newMark();
    await documented("PATCH", `${USERS}/${id}`, { token, json: { username: renamed, reason: "asked" } });
    expect(await find(renamed)).toEqual([id]);
    expect(await find(username)).toEqual([]);
    await deliverSearch([id]);
    expect(await find(renamed.slice(1, -1))).toEqual([id]);
    expect(await find(username.slice(1, -1))).toEqual([]);
  });
});

describe("the field that a search matched", () => {
  /** The `matched` of each result, by user id. */
  async function matchesOf(text: string): Promise<Record<string, string>> {
    const { results } = (await searching(text)).body.data;
    return Object.fromEntries(results.map(({ id, matched }: { id: string; matched: string }) => [id, matched]));
  }

  test("distinguishes the owner of a number from a user whose old username imitates it", async () => {
    const phone = newPhone();
    const national = phone.slice(4);
    const [owner, impostor] = [await person(phone), await person(newEmail())];
    await testEnv.DB.prepare("update users set username = ?1, username_key = ?1, version = version + 1 where id = ?2")
      .bind(national, impostor.userId)
      .run();
    await deliverSearch([owner.userId, impostor.userId]);
    for (const text of [national, `${national.slice(0, 3)} ${national.slice(3)}`]) {
      expect((await matchesOf(text))[owner.userId], text).toBe("phone_number");
    }
    expect(await matchesOf(national)).toEqual({ [owner.userId]: "phone_number", [impostor.userId]: "username" });
    expect((await matchesOf(national.slice(1)))[impostor.userId]).toBe("username");
    expect((await matchesOf(national.slice(1)))[owner.userId]).toBe("phone_number");
  });

  test("is the id, the email address or the username for their texts, whole and in part", async () => {
    const [mark, address] = [newMark(), newEmail()];
    const made = await documented("POST", USERS, {
      token: staff.access,
      json: { identifier: address, username: mark },
    });
    const { id } = made.body.data;
    await deliverSearch([id]);
    for (const [text, field] of [
      [id, "id"],
      [address, "email"],
      [address.slice(1), "email"],
      [mark, "username"],
      [mark.slice(1, -1), "username"],
      [mark.slice(0, 2), "username"],
    ]) {
      const matches = await matchesOf(text);
      if (id in matches || text.length > 2) expect(matches[id], text).toBe(field);
    }
  });

  test("is absent without a search", async () => {
    const { results } = (await directory(staff, "page_size=5")).body.data;
    expect(results.length).toBeGreaterThan(0);
    for (const result of results) expect(result).not.toHaveProperty("matched");
  });
});

describe("search by a part of a field", () => {
  const era = newEra();
  const during = duringEra(era);
  let people: Record<string, Person>;

  beforeAll(async () => {
    const tail = String(Math.floor(Math.random() * 9000) + 1000);
    const given: Record<string, Partial<Person>> = {
      phone: { phone: `+977984123${tail}`, username: "plain.one" },
      ram: { username: "Ram.Bahadur", email: `ram@${newMark()}.com`, emailVerified: true },
      siram: { username: "siram+x", email: `${newMark()}@ramro.np`, status: "BANNED" },
      short: { username: "Zq", kycStatus: "PENDING" },
      devanagari: { username: "राम.थापा" },
      digits: { username: "user९८" },
      foreign: { phone: `+4915155501${tail}`, username: "fremd" },
      operators: { username: "or.not-near_and" },
    };
    const entries = Object.entries(given);
    const names = new Set(entries.map(([, { username }]) => username));
    expect(names.size).toBe(entries.length);
    const rows = await insertPeople(entries.map(([, each], i) => ({ joinedAt: era + i * 1_000, ...each })));
    people = Object.fromEntries(entries.map(([name], i) => [name, rows[i] as Person]));
    await deliverSearch(rows.map(({ id }) => id));
  });

  const nameOf = (id: string) => Object.keys(people).find((name) => people[name]?.id === id) ?? id;
  const found = async (text: string, more = "") => (await find(text, `${during}${more && `&${more}`}`)).map(nameOf);

  test.each([
    ["984123"],
    ["+977984123"],
    ["+977 984-123"],
    ["00977984123"],
    ["00977 984 123"],
    ["977984123"],
    ["0984123"],
    ["(984) 123"],
    ["984.123"],
    ["84123"],
    ["९८४१२३"],
    ["+९७७ ९८४१२३"],
    ["98"],
    ["9"],
    ["984"],
    ["+977984"],
    ["+977 98"],
  ])("of a Nepali number, as %s, finds it", async (text) => {
    expect(await found(text)).toContain("phone");
  });

  test("finds numbers of other countries with and without the country code", async () => {
    const env = { SMS_COUNTRIES: "NP,DE" } as Partial<Env>;
    for (const text of [
      "+4915155501",
      "+49 151 555 01",
      "004915155501",
      "4915155501",
      "15155501",
      "015155501",
      "5155501",
    ]) {
      const answer = await directory(staff, `${during}&search=${encodeURIComponent(text)}`, { env });
      expect(idsOf(answer).map(nameOf), text).toEqual(["foreign"]);
    }
  });

  test.each<[string, string[]]>([
    ["ram", ["siram", "ram"]],
    ["RAM", ["siram", "ram"]],
    ["Ram.B", ["ram"]],
    ["RAM@", ["ram"]],
    ["ramro.np", ["siram"]],
    ["  ram ", ["siram", "ram"]],
    ["siram+", ["siram"]],
    ["bahadur", ["ram"]],
    ["ra", ["ram"]],
    ["z", ["short"]],
    ["ZQ", ["short"]],
    ["राम", ["devanagari"]],
    ["रा", ["devanagari"]],
    ["र", ["devanagari"]],
    ["थापा", ["devanagari"]],
    ["ｒａｍ", ["siram", "ram"]],
    ["user९", ["digits"]],
    ["or.not", ["operators"]],
    ["near_", ["operators"]],
    ["t-near", ["operators"]],
    ["%", []],
    ["_", []],
    ["___", []],
    ["r%m", []],
    ["r_m", []],
    ['"', []],
    ['""', []],
    ['"ram"', []],
    ["'", []],
    ["*", []],
    ["ram*", []],
    ["^ram", []],
    ["OR 1=1", []],
    ["' OR 1=1 --", []],
    ["ram OR siram", []],
    ["NEAR(ram bahadur)", []],
    ["ram AND bahadur", []],
    ["a AND b", []],
    ["NOT ram", []],
    ["-ram", []],
    ["-x", []],
    ["text:ram", []],
    ["col:x", []],
    ["{text}: ram", []],
    ["ram\\", []],
    ["(", []],
    ["😀", []],
    ["😀😀😀", []],
    ["ram😀", []],
    ["+", []],
    ["-", []],
    ["--- ", []],
    ["()", []],
    ["a", []],
  ])("%j finds %j", async (text, expected) => {
    expect(await found(text)).toEqual(expected);
  });

  test.each(["\u00a0", "   ", "\u200b", "\u3164"])("refuses the invisible text %j", async (text) => {
    const refused = await searching(text);
    expect(refused.body.error.fields).toEqual({ search: [{ code: "blank" }] });
  });

  test("accepts 255 characters and refuses 256", async () => {
    expect(await found("x".repeat(255))).toEqual([]);
    expect(await found("थ".repeat(255))).toEqual([]);
    expect(await found("9".repeat(255))).toEqual([]);
    expect(await found("%_".repeat(127))).toEqual([]);
    expect(await found('"'.repeat(255))).toEqual([]);
    expect((await searching("😀".repeat(127))).status).toBe(200);
    for (const text of ["x".repeat(256), "थ".repeat(256), "😀".repeat(256)]) {
      const answer = await searching(text);
      expect(codeOf(answer)).toEqual([400, "validation_error"]);
      expect(Object.keys(answer.body.error.details)).toEqual(["search"]);
    }
  });

  test("refuses control characters with the name of the field, and invalid UTF-8 never causes a 5xx", async () => {
    for (const raw of ["%00", "ram%00", "%01%02%03", "%1b%5b31m", "ram%0a", "a%09b", "%7f%7f%7f"]) {
      const answer = await directory(staff, `search=${raw}`);
      expect([200, 400], raw).toContain(answer.status);
      if (answer.status === 400) expect(Object.keys(answer.body.error.details), raw).toEqual(["search"]);
    }
    expect(codeOf(await directory(staff, "search=ram%00"))).toEqual([400, "validation_error"]);
    for (const raw of [
      "%ED%A0%80",
      "%ED%B0%80ram",
      "%FF%FE",
      "%C0%80",
      "%F0%9F",
      "%",
      "%zz",
      "%25zz",
      "a%F4%90%80%80",
    ]) {
      expect((await directory(staff, `search=${raw}`)).status, raw).toBeLessThan(500);
    }
    expect((await directory(staff, `search=${"%25".repeat(10_000)}`)).status).toBe(400);
    expect((await directory(staff, "search=ram&search=bahadur")).status).toBeLessThan(500);
    expect((await directory(staff, "search[]=ram&search[a]=b")).status).toBeLessThan(500);
    for (const raw of [
      "\u200d\u200d\u200d",
      "\ufeff",
      "\u202eram",
      "e\u0301\u0301\u0301",
      "ﷺﷺﷺ".repeat(80),
      "İ".repeat(200),
    ]) {
      expect((await searching(raw)).status, JSON.stringify(raw)).toBeLessThan(500);
    }
  });

  test("combines with filters and dates, and stays newest first", async () => {
    expect(await found("ram", "status=BANNED")).toEqual(["siram"]);
    expect(await found("ram", "email_verified=true")).toEqual(["ram"]);
    expect(await found("ram", "kyc_status=PENDING")).toEqual([]);
    expect(await found("zq", "kyc_status=PENDING")).toEqual(["short"]);
    expect(await found("zq", "kyc_status=APPROVED")).toEqual([]);
    for (const ordering of ["date_joined", "username", "-last_login"]) {
      expect(await found("ram", `ordering=${ordering}`), ordering).toEqual(["siram", "ram"]);
    }
    const instant = (at: number) => new Date(at).toISOString();
    const between = `start_date=${instant(era + 1_000)}&end_date=${instant(era + 1_000)}`;
    expect((await find("ram", between)).map(nameOf)).toEqual(["ram"]);
    const outside = `start_date=${instant(era + 3_000)}&end_date=${instant(era + 9_000)}`;
    expect((await find("ram", outside)).map(nameOf)).toEqual([]);
    const whole = people.siram?.username ?? "";
    expect(await found(whole, "status=ACTIVE"), "a whole username, filtered out").toEqual([]);
    expect(await found(people.phone?.phone ?? "", "status=BANNED"), "a whole number, filtered out").toEqual([]);
    expect((await find(people.phone?.id ?? "", outside)).map(nameOf), "a whole id, outside the dates").toEqual([]);
  });

  test("filters by the current state of users before the projection knows it", async () => {
    const [banned] = await insertPeople([{ joinedAt: era + 90_000, username: `now${newMark()}` }]);
    const { id = "", username = "" } = banned ?? {};
    await deliverSearch([id]);
    await testEnv.DB.prepare("update users set status = 'BANNED', version = version + 1 where id = ?").bind(id).run();
    const part = username.slice(0, -1);
    for (const { status, body } of [await searching(part, "status=BANNED"), await searching(part, "status=ACTIVE")]) {
      expect(status).toBe(200);
      for (const { status: shown } of body.data.results) expect(shown).toBe("BANNED");
    }
    expect(await find(part, "status=ACTIVE")).toEqual([]);
    await deliverSearch([id]);
    expect(await find(part, "status=BANNED")).toEqual([id]);
  });
});

describe("search with many results", () => {
  test("returns each user once by cursor and by page, newest first, while others are created", async () => {
    const [era, mark] = [newEra(), newMark()];
    const people = await insertPeople(
      Array.from({ length: 25 }, (_, i) => ({ username: `${mark}.${i}`, joinedAt: era + Math.floor(i / 3) * 1_000 })),
    );
    await deliverSearch(people.map(({ id }) => id));
    const seen = await walk(staff, `search=${mark}&page_size=4`, async (page) => {
      if (page > 3) return;
      const [more] = await insertPeople([{ username: `${mark}.new${page}`, joinedAt: era + page * 2_500 }]);
      await deliverSearch([more?.id ?? ""]);
    });
    expect(new Set(seen).size).toBe(seen.length);
    for (const { id } of people) expect(seen).toContain(id);
    const joined = await Promise.all(
      seen.map((id) =>
        testEnv.DB.prepare("select date_joined from users where id = ?").bind(id).first<number>("date_joined"),
      ),
    );
    expect(joined).toEqual(joined.toSorted((a, b) => Number(b) - Number(a)));
    const all = await find(mark, "page_size=100");
    expect(all).toHaveLength(28);
    const pages: string[] = [];
    for (let page = 1; page <= 7; page++) pages.push(...(await find(mark, `page_size=4&page=${page}`)));
    expect(pages).toEqual(all);
  });

  test("continues by cursor for the beginning of phone numbers", async () => {
    const era = newEra();
    const head = `97${String(Math.floor(Math.random() * 9000) + 1000)}`;
    const people = await insertPeople(
      Array.from({ length: 11 }, (_, i) => ({ phone: `+977${head}${String(i).padStart(4, "0")}`, joinedAt: era + i })),
    );
    await deliverSearch(people.map(({ id }) => id));
    const expected = people.toReversed().map(({ id }) => id);
    for (const text of [head, `+977${head}`, `0${head}`, `00977${head}`]) {
      expect(await walk(staff, `search=${encodeURIComponent(text)}&page_size=3`), text).toEqual(expected);
      expect(await walk(staff, `search=${encodeURIComponent(text)}&${duringEra(era)}&page_size=4`), text).toEqual(
        expected,
      );
      expect(await walk(staff, `search=${encodeURIComponent(text)}&status=BANNED&page_size=4`), text).toEqual([]);
    }
  });

  test("lists each user once if the text is one user's full username, wherever that user is in the order", async () => {
    for (const place of [0, 3, 4, 5, 6, 9]) {
      const [era, mark] = [newEra(), newMark()];
      const people = await insertPeople(
        Array.from({ length: 10 }, (_, i) => ({ username: i === place ? mark : `${mark}.${i}`, joinedAt: era + i })),
      );
      await deliverSearch(people.map(({ id }) => id));
      const ids = people.map(({ id }) => id).sort();
      for (const size of [1, 2, 3, 4, 9, 10]) {
        const seen = await walk(staff, `search=${mark}&page_size=${size}`);
        expect(seen.toSorted(), `place ${place}, pages of ${size}`).toEqual(ids);
        expect(seen.slice(0, size)).toContain(ids.find((id) => id === people[place]?.id));
      }
    }
  });

  test("lists both users whom the text names in full although a page has room for one", async () => {
    const [era, phone] = [newEra(), newPhone()];
    const people = await insertPeople([
      { username: phone.slice(4), joinedAt: era },
      { phone, joinedAt: era + 1 },
    ]);
    await deliverSearch(people.map(({ id }) => id));
    for (const size of [1, 2]) {
      expect(await walk(staff, `search=${phone.slice(4)}&page_size=${size}`)).toEqual(
        people.map(({ id }) => id).toReversed(),
      );
    }
  });

  test("fills a page of 100, newest first", async () => {
    const [era, mark] = [newEra(), newMark()];
    const people = await insertPeople(
      Array.from({ length: 101 }, (_, i) => ({ username: `${mark}.${i}`, joinedAt: era + i })),
    );
    await deliverSearch(people.slice(0, 60).map(({ id }) => id));
    await deliverSearch(people.slice(60).map(({ id }) => id));
    const newest = people.toReversed().map(({ id }) => id);
    expect(await find(mark, "page_size=100")).toEqual(newest.slice(0, 100));
    expect(await walk(staff, `search=${mark}&page_size=100`)).toEqual(newest);
  });

  test("returns short pages that lead to all matches if few users pass the filter", async () => {
    const [era, mark] = [newEra(), newMark()];
    const people = await insertPeople(
      Array.from({ length: 60 }, (_, i) => ({
        username: `${mark}${i}`,
        joinedAt: era + i,
        status: i % 20 === 0 ? ("BANNED" as const) : ("ACTIVE" as const),
      })),
    );
    await deliverSearch(people.map(({ id }) => id));
    const banned = people.filter(({ status }) => status === "BANNED").map(({ id }) => id);
    expect(await walk(staff, `search=${mark}&status=BANNED&page_size=2`)).toEqual(banned.toReversed());
  });
});

describe("search for a deleted user", () => {
  test("finds nobody, before and after the projection knows of the deletion", async () => {
    const user = await newUser();
    const national = user.identifier.slice(4);
    await deliverSearch([user.userId]);
    expect(await find(national.slice(0, 9))).toContain(user.userId);
    const token = user.access;
    expect((await documented("DELETE", "/api/auth/account", { token, json: {} })).status).toBe(200);
    const texts = [national, national.slice(0, 9), national.slice(2), user.userId];
    for (const text of texts) expect(await find(text), text).not.toContain(user.userId);
    await deliverSearch([user.userId], 2);
    for (const text of texts) expect(await find(text), text).not.toContain(user.userId);
    const left = await testEnv.SEARCH_DB.prepare("select text, phone_number from search_entries where user_id = ?")
      .bind(user.userId)
      .all();
    for (const row of left.results) expect(row, "nothing personal stays").toEqual({ text: "", phone_number: "" });
  });

  test("finds the new owner of the number and not the deleted user", async () => {
    const phone = newPhone();
    const first = await person(phone);
    await deliverSearch([first.userId]);
    expect((await call("DELETE", "/api/auth/account", { token: first.access, json: {} })).status).toBe(200);
    const made = await call("POST", USERS, { token: staff.access, json: { identifier: phone } });
    const { id } = made.body.data;
    expect(await find(phone)).toEqual([id]);
    await deliverSearch([id, first.userId, id]);
    expect(await find(phone.slice(4, 13))).toContain(id);
    expect(await find(phone.slice(4, 13))).not.toContain(first.userId);
  });
});
