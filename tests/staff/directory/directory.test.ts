import { beforeAll, describe, expect, test } from "vitest";
import { call, newPhone, type SignedIn, testEnv } from "../../support/client.ts";
import { run } from "../../support/database.ts";
import { codeOf, newStaff } from "../../support/kyc.ts";
import {
  DAY_MS,
  directory,
  duringEra,
  idsOf,
  insertPeople,
  KATHMANDU_MS,
  newEra,
  type Person,
  walk,
} from "../../support/staff.ts";

let staff: SignedIn;
beforeAll(async () => {
  staff = await newStaff();
});

const STATUSES = ["ACTIVE", "INACTIVE", "BANNED"] as const;
const KYC_STATUSES = ["NOT_SUBMITTED", "PENDING", "APPROVED", "REJECTED"] as const;

const queryOf = (filters: Record<string, unknown>) =>
  Object.entries(filters)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
    .join("&");

/** The request is refused with errors for these fields. */
async function expectRefused(query: string, ...fields: string[]) {
  const answer = await directory(staff, query);
  expect(codeOf(answer), query).toEqual([400, "validation_error"]);
  expect(Object.keys(answer.body.error.details), query).toEqual(fields);
}

const countWhere = async (where: string) =>
  await testEnv.DB.prepare(`select count(*) as n from users where ${where}`).first<number>("n");

describe("directory filters", () => {
  test("every combination of filters returns exactly the users that match all of them", async () => {
    const era = newEra();
    const kinds = STATUSES.flatMap((status) =>
      KYC_STATUSES.flatMap((kycStatus) =>
        [true, false].flatMap((emailVerified) =>
          [true, false].map((phoneVerified) => ({ status, kycStatus, emailVerified, phoneVerified })),
        ),
      ),
    );
    const people = await insertPeople(kinds.map((kind, i) => ({ ...kind, joinedAt: era + i * 60_000 })));
    expect(people).toHaveLength(48);
    const newestFirst = people.toReversed();
    for (const status of [undefined, ...STATUSES]) {
      for (const kyc_status of [undefined, ...KYC_STATUSES]) {
        for (const email_verified of [undefined, true, false]) {
          for (const phone_verified of [undefined, true, false]) {
            const query = queryOf({ status, kyc_status, email_verified, phone_verified, page_size: 100 });
            const fits = (each: Person) =>
              (status ?? each.status) === each.status &&
              (kyc_status ?? each.kycStatus) === each.kycStatus &&
              (email_verified ?? each.emailVerified) === each.emailVerified &&
              (phone_verified ?? each.phoneVerified) === each.phoneVerified;
            const expected = newestFirst.filter(fits).map(({ id }) => id);
            expect(idsOf(await directory(staff, `${query}&${duringEra(era)}`)), query).toEqual(expected);
          }
        }
      }
    }
  });

  test("date filters accept an instant or a day in Kathmandu, both ends inclusive", async () => {
    const era = newEra();
    const at = [era - 1, era, era + DAY_MS - 1, era + DAY_MS, era + 2 * DAY_MS - 1, era + 2 * DAY_MS];
    const people = await insertPeople(at.map((joinedAt) => ({ joinedAt })));
    const day = (offset: number) => new Date(era + KATHMANDU_MS + offset * DAY_MS).toISOString().slice(0, 10);
    const instant = (at: number) => new Date(at).toISOString();
    const found = async (start_date: string, end_date: string) => {
      const ids = idsOf(await directory(staff, queryOf({ start_date, end_date, ordering: "date_joined" })));
      return ids.map((id) => people.findIndex((each) => each.id === id));
    };
    expect(await found(day(0), day(0))).toEqual([1, 2]);
    expect(await found(day(0), day(1))).toEqual([1, 2, 3, 4]);
    expect(await found(day(-1), day(-1))).toEqual([0]);
    expect(await found(instant(era), instant(era))).toEqual([1]);
    expect(await found(instant(era - 1), instant(era + DAY_MS))).toEqual([0, 1, 2, 3]);
    expect(await found(instant(era + 1), instant(era + DAY_MS - 1))).toEqual([2]);
    expect(await found(day(1), instant(era + 2 * DAY_MS))).toEqual([3, 4, 5]);
    expect(await found(instant(era), day(0))).toEqual([1, 2]);
    const local = `${day(0)}T00:00:00+05:45`;
    expect(await found(local, local), "an instant with an offset").toEqual([1]);
    const open = idsOf(await directory(staff, queryOf({ end_date: day(0), ordering: "-date_joined", page_size: 2 })));
    expect(open, "without a start").toEqual([people[2]?.id, people[1]?.id]);
    const start = queryOf({ start_date: day(0), ordering: "date_joined", page_size: 3 });
    expect(idsOf(await directory(staff, start)), "without an end").toEqual(people.slice(1, 4).map(({ id }) => id));
  });

  test("a start after the end and invalid dates are refused", async () => {
    for (const [start, end] of [
      ["2024-01-02", "2024-01-01"],
      ["2024-01-01T00:00:00.001Z", "2024-01-01T00:00:00Z"],
      ["2024-01-02", "2024-01-01T18:14:59Z"],
    ]) {
      const answer = await directory(staff, queryOf({ start_date: start, end_date: end }));
      expect(codeOf(answer), `${start} ${end}`).toEqual([400, "validation_error"]);
      for (const field of Object.keys(answer.body.error.details)) expect(["start_date", "end_date"]).toContain(field);
    }
    const equal = queryOf({ start_date: "2024-01-02", end_date: "2024-01-01T18:15:00Z" });
    expect((await directory(staff, equal)).status, "the day begins as the end is reached").toBe(200);
    for (const date of [
      "x",
      "2024-13-01",
      "2024-02-30",
      "2024-01-01T25:00:00Z",
      "01/02/2024",
      "1704067200",
      "-1",
      "null",
    ]) {
      await expectRefused(queryOf({ start_date: date }), "start_date");
      await expectRefused(queryOf({ end_date: date }), "end_date");
    }
    for (const date of ["0000-01-01", "0001-01-01", "9999-12-31", "9999-12-31T23:59:59.999Z"]) {
      for (const field of ["start_date", "end_date"]) {
        expect((await directory(staff, queryOf({ [field]: date }))).status, `${field} ${date}`).toBeLessThan(500);
      }
    }
  });

  test("invalid values are refused with the name of the field, and an empty value counts as absent", async () => {
    await expectRefused("status=active", "status");
    await expectRefused("status=DELETED", "status");
    await expectRefused("kyc_status=NONE", "kyc_status");
    await expectRefused("email_verified=maybe", "email_verified");
    await expectRefused("phone_verified=2", "phone_verified");
    await expectRefused("ordering=id", "ordering");
    await expectRefused("ordering=--username", "ordering");
    await expectRefused("ordering=date_joined;drop table users", "ordering");
    const empty =
      "status=&email_verified=&phone_verified=&kyc_status=&search=&start_date=&end_date=&ordering=&page=&cursor=";
    const [all, none] = [await directory(staff, `${empty}&page_size=`), await directory(staff)];
    expect(all.body.data).toEqual(none.body.data);
  });
});

describe("directory orderings", () => {
  const logins = [null, 5, 3, null, 3, 9, 1, 5];
  const names = ["b", "C", "a", "A1", "é", "अ", "_", "z"];

  async function populate() {
    const era = newEra();
    const mark = crypto.randomUUID().slice(0, 8);
    const people = await insertPeople(
      logins.map((login, i) => ({
        username: `${names[i]}${mark}`,
        joinedAt: era + Math.floor(i / 2) * 1_000,
        lastLoginAt: login === null ? null : era + login * DAY_MS,
      })),
    );
    return { era, people };
  }

  const byteOrder = (a: string, b: string) => {
    const [left, right] = [new TextEncoder().encode(a), new TextEncoder().encode(b)];
    const at = left.findIndex((byte, i) => byte !== right[i]);
    return at < 0 ? left.length - right.length : (left[at] ?? 0) - (right[at] ?? -1);
  };
  const keys: Record<string, (a: Person, b: Person) => number> = {
    date_joined: (a, b) => a.joinedAt - b.joinedAt,
    last_login: (a, b) => (a.lastLoginAt ?? 0) - (b.lastLoginAt ?? 0),
    username: (a, b) =>
      byteOrder(a.username.normalize("NFKC").toLowerCase(), b.username.normalize("NFKC").toLowerCase()),
  };

  test.each(["date_joined", "last_login", "username"])(
    "descending %s is the exact reverse of ascending",
    async (ordering) => {
      const { era, people } = await populate();
      const up = await walk(staff, `${duringEra(era)}&ordering=${ordering}&page_size=3`);
      const down = await walk(staff, `${duringEra(era)}&ordering=-${ordering}&page_size=3`);
      expect(up.toSorted()).toEqual(people.map(({ id }) => id).toSorted());
      expect(down).toEqual(up.toReversed());
      const compare = keys[ordering] ?? (() => Number.NaN);
      const inOrder = up.map((id) => people.find((each) => each.id === id) as Person);
      for (let i = 1; i < inOrder.length; i++) {
        expect(compare(inOrder[i - 1] as Person, inOrder[i] as Person), `${ordering} at ${i}`).toBeLessThanOrEqual(0);
      }
    },
  );

  test.each(["date_joined", "-date_joined", "last_login", "-last_login", "username", "-username"])(
    "a cursor walk by %s returns each user once while others are created",
    async (ordering) => {
      const { era, people } = await populate();
      const mark = crypto.randomUUID().slice(0, 8);
      const seen = await walk(staff, `${duringEra(era)}&ordering=${ordering}&page_size=2`, async (page) => {
        if (page > 6) return;
        await insertPeople([
          { username: `${names[page]}${mark}${page}`, joinedAt: era + page * 700, lastLoginAt: era + page * DAY_MS },
        ]);
      });
      expect(new Set(seen).size, "each user once").toBe(seen.length);
      for (const { id } of people) expect(seen).toContain(id);
    },
  );

  test("a cursor continues after a username of maximum length whose sort key is longer than the username", async () => {
    const era = newEra();
    const people = await insertPeople([0, 1].map((i) => ({ joinedAt: era + i, phone: newPhone() })));
    for (const [i, { id }] of people.entries()) {
      const username = "\u1fb7".repeat(149) + "ab"[i];
      const json = { username, reason: "asked" };
      const renamed = await call("PATCH", `/api/users/${id}`, { token: staff.access, json });
      expect(renamed.status, JSON.stringify(renamed.body)).toBe(200);
    }
    const seen = await walk(staff, `${duringEra(era)}&ordering=username&page_size=1`);
    expect(seen).toEqual(people.map(({ id }) => id));
  });

  test.each(["status=BANNED", "email_verified=true", "status=ACTIVE&kyc_status=NOT_SUBMITTED&phone_verified=true"])(
    "a cursor walk of a filtered list without dates (%s) returns each user once",
    async (filter) => {
      const era = newEra();
      const half = { status: "BANNED", emailVerified: true } as const;
      const people = await insertPeople(
        Array.from({ length: 5 }, (_, i) => ({ joinedAt: era + i, ...(i % 2 ? half : {}) })),
      );
      for (const ordering of ["-date_joined", "-last_login", "username"]) {
        const seen = await walk(staff, `${filter}&ordering=${ordering}&page_size=100`);
        expect(new Set(seen).size).toBe(seen.length);
        const expected = people.filter(({ status }) => (status === "BANNED") !== filter.startsWith("status=ACTIVE"));
        for (const { id } of expected) expect(seen, ordering).toContain(id);
      }
    },
  );
});

describe("directory pages", () => {
  test("a page reports its number, the totals and its neighbours", async () => {
    const era = newEra();
    const people = await insertPeople(Array.from({ length: 5 }, (_, i) => ({ joinedAt: era + i })));
    const newest = people.toReversed().map(({ id }) => id);
    for (const [page, ids, next, previous] of [
      [1, newest.slice(0, 2), 2, null],
      [2, newest.slice(2, 4), 3, 1],
      [3, newest.slice(4), null, 2],
    ] as const) {
      const answer = await directory(staff, `${duringEra(era)}&page_size=2&page=${page}`);
      expect(idsOf(answer)).toEqual(ids);
      expect(answer.body.data.pagination).toEqual({
        current_page: page,
        total_pages: null,
        total_count: null,
        page_size: 2,
        has_next: next !== null,
        has_previous: previous !== null,
        next_page: next,
        previous_page: previous,
        next_cursor: next === null ? null : expect.any(String),
      });
    }
    const beyond = await directory(staff, `${duringEra(era)}&page_size=2&page=9`);
    expect(idsOf(beyond)).toEqual([]);
    expect(beyond.body.data.pagination).toMatchObject({ has_next: false, next_page: null, next_cursor: null });
    const first = await directory(staff, `${duringEra(era)}&page_size=2`);
    const cursor = encodeURIComponent(first.body.data.pagination.next_cursor);
    const second = await directory(staff, `${duringEra(era)}&page_size=2&cursor=${cursor}`);
    expect(idsOf(second)).toEqual(newest.slice(2, 4));
    expect(second.body.data.pagination).toMatchObject({ current_page: null, next_page: null, has_next: true });
  });

  test("a listed user has exactly the fields of the contract", async () => {
    const era = newEra();
    const [person] = await insertPeople([
      { joinedAt: era, email: `${crypto.randomUUID()}@example.com`, status: "BANNED" },
    ]);
    const { results } = (await directory(staff, duringEra(era))).body.data;
    const date_joined = new Date(era).toISOString();
    expect(results).toEqual([{ id: person?.id, username: person?.username, status: "BANNED", date_joined }]);
  });

  test("page numbers reach the first 2,000 users; beyond, the error refers to the cursor", async () => {
    for (const query of ["page=20&page_size=100", "page=100", "page=2000&page_size=1"]) {
      expect((await directory(staff, query)).status, query).toBe(200);
    }
    for (const query of ["page=21&page_size=100", "page=101", "page=2001&page_size=1", "page=9007199254740991"]) {
      const answer = await directory(staff, query);
      expect(codeOf(answer), query).toEqual([400, "validation_error"]);
      expect(JSON.stringify(answer.body.error.details), query).toContain("cursor");
    }
    for (const size of ["0", "101", "-1", "1.5", "x", "1e9", "99999999999999999999"]) {
      await expectRefused(`page_size=${size}`, "page_size");
    }
    for (const page of ["0", "-1", "1.5", "x", "NaN"]) await expectRefused(`page=${page}`, "page");
    expect((await directory(staff, "page=1e400")).status).toBe(400);
  });

  test("the total is exact for status, verification and KYC filters, and null with dates or search", async () => {
    const totals = async (filter: string) => {
      const { pagination } = (await directory(staff, `page_size=7${filter && `&${filter}`}`)).body.data;
      expect(pagination.total_pages, filter).toBe(Math.ceil(pagination.total_count / 7));
      const beyond = (await directory(staff, `page_size=7&page=200${filter && `&${filter}`}`)).body.data.pagination;
      expect(beyond.previous_page, "the last page that there is").toBe(Math.max(1, pagination.total_pages));
      return pagination.total_count as number;
    };
    const filters: Record<string, string> = {
      "": "1",
      "status=BANNED": "status = 'BANNED'",
      "kyc_status=PENDING": "kyc_status = 'PENDING'",
      "email_verified=true": "email_verified = 1",
      "phone_verified=false": "phone_verified = 0",
      "status=BANNED&kyc_status=PENDING&email_verified=true&phone_verified=false":
        "status = 'BANNED' and kyc_status = 'PENDING' and email_verified = 1 and phone_verified = 0",
      "status=INACTIVE&kyc_status=APPROVED": "status = 'INACTIVE' and kyc_status = 'APPROVED'",
    };
    const before = new Map<string, number>();
    for (const filter of Object.keys(filters)) before.set(filter, await totals(filter));
    const fitting = { status: "BANNED", kycStatus: "PENDING", emailVerified: true, phoneVerified: false } as const;
    const people = await insertPeople([...Array(3).fill(fitting), { kycStatus: "PENDING" }, { phoneVerified: false }]);
    const grown = async (filter: string) => (await totals(filter)) - (before.get(filter) ?? 0);
    expect(await Promise.all(Object.keys(filters).map(grown))).toEqual([5, 3, 4, 3, 4, 3, 0]);
    const [first, second] = people as [Person, Person];
    const run = (sql: string, id: string) => testEnv.DB.prepare(sql).bind(id).run();
    await run("update users set status = 'INACTIVE' where id = ?", first.id);
    await run("update kyc set status = 'APPROVED' where user_id = ?", first.id);
    await run("delete from kyc where user_id = ?", second.id);
    expect(await Promise.all(Object.keys(filters).map(grown))).toEqual([5, 2, 2, 3, 4, 1, 1]);
    await run("delete from users where id = ?", first.id);
    expect(await Promise.all(Object.keys(filters).map(grown))).toEqual([4, 2, 2, 2, 3, 1, 0]);
    for (const [filter, where] of Object.entries(filters)) {
      expect(await totals(filter), filter).toBe(await countWhere(where));
    }
    for (const query of ["search=abc", "start_date=2020-01-01", "end_date=2020-01-01"]) {
      const { pagination } = (await directory(staff, query)).body.data;
      expect([pagination.total_count, pagination.total_pages, typeof pagination.has_next], query).toEqual([
        null,
        null,
        "boolean",
      ]);
    }
  });
});

describe("directory cursors", () => {
  test("continue after the last user that a page may read, whether or not that user matches the filter", async () => {
    for (const nth of [399, 400, 401]) {
      const era = newEra();
      const fits = [nth - 1, nth + 2];
      const people = await insertPeople(
        Array.from({ length: 405 }, (_, i) => ({
          joinedAt: fits.includes(i) ? era : era + 22 * DAY_MS,
          lastLoginAt: Date.UTC(2200 + nth, 0, 1) - i,
        })),
      );
      const query = `ordering=-last_login&${duringEra(era)}&page_size=5`;
      const first = await directory(staff, query);
      const cursor = encodeURIComponent(first.body.data.pagination.next_cursor ?? "");
      expect(cursor, `${nth}`).not.toBe("");
      const second = await directory(staff, `${query}&cursor=${cursor}`);
      const found = [...idsOf(first), ...idsOf(second)];
      expect(found, `${nth}`).toEqual(fits.map((i) => people[i]?.id));
    }
  });

  test("a page number beyond the matches found so far returns a next_cursor that leads to the others", async () => {
    const era = newEra();
    const fits = [3, 404];
    const people = await insertPeople(
      Array.from({ length: 405 }, (_, i) => ({
        joinedAt: fits.includes(i) ? era : era + 22 * DAY_MS,
        lastLoginAt: Date.UTC(3000, 0, 1) - i,
      })),
    );
    const query = `ordering=-last_login&${duringEra(era)}&page_size=2`;
    expect(idsOf(await directory(staff, `${query}&page=1`))).toEqual([people[3]?.id]);
    const second = await directory(staff, `${query}&page=2`);
    expect(idsOf(second)).toEqual([]);
    expect(second.body.data.pagination.has_next).toBe(true);
    const cursor = encodeURIComponent(second.body.data.pagination.next_cursor ?? "");
    expect(idsOf(await directory(staff, `${query}&cursor=${cursor}`))).toEqual([people[404]?.id]);
  });

  test("a short page offers no next page number, because its next_cursor alone leads to every user", async () => {
    const era = newEra();
    const fits = [3, 9, 401, 405, 415, 422, 425];
    const people = await insertPeople(
      Array.from({ length: 430 }, (_, i) => ({
        joinedAt: fits.includes(i) ? era : era + 22 * DAY_MS,
        lastLoginAt: Date.UTC(4000, 0, 1) - i,
      })),
    );
    const query = `ordering=-last_login&${duringEra(era)}&page_size=5`;
    const seen: string[] = [];
    for (let next = ""; ; ) {
      const answer = await directory(staff, query + next);
      seen.push(...idsOf(answer));
      const { has_next, next_page, next_cursor } = answer.body.data.pagination;
      if (!has_next) break;
      next = next_page === null ? `&cursor=${encodeURIComponent(next_cursor)}` : `&page=${next_page}`;
    }
    expect(seen).toEqual(fits.map((i) => people[i]?.id));
  });

  test("a cursor that was altered or belongs to another user or query is refused", async () => {
    const era = newEra();
    await insertPeople(Array.from({ length: 4 }, (_, i) => ({ joinedAt: era + i, status: "BANNED" as const })));
    const query = `status=BANNED&${duringEra(era)}&page_size=1`;
    const cursor: string = (await directory(staff, query)).body.data.pagination.next_cursor;
    const altered = [
      "x",
      "x".repeat(3000),
      `${cursor}A`,
      cursor.slice(1),
      cursor.slice(0, -1),
      `${cursor}%20`,
      "%00",
      "%F0",
      "null",
    ];
    for (let at = 0; at < cursor.length; at++) {
      altered.push(`${cursor.slice(0, at)}${cursor.charAt(at) === "A" ? "B" : "A"}${cursor.slice(at + 1)}`);
    }
    for (const each of altered) await expectRefused(`${query}&cursor=${each}`, "cursor");
    const others = [
      `${duringEra(era)}&page_size=1`,
      `status=ACTIVE&${duringEra(era)}&page_size=1`,
      `status=BANNED&${duringEra(era + DAY_MS)}&page_size=1`,
      `${query}&email_verified=true`,
      `${query}&phone_verified=true`,
      `${query}&kyc_status=PENDING`,
      `${query}&ordering=date_joined`,
      `${query}&ordering=username`,
      `${query}&ordering=-last_login`,
      `${query}&search=abc`,
      "page_size=1",
    ];
    for (const other of others) await expectRefused(`${other}&cursor=${cursor}`, "cursor");
    const token = staff.access;
    for (const path of [
      "/api/users/kyc/submissions",
      `/api/users/${staff.userId}/audit-logs`,
      "/api/users/notifications",
    ]) {
      expect(codeOf(await call("GET", `${path}?cursor=${cursor}`, { token })), path).toEqual([400, "validation_error"]);
    }
    for (let i = 0; i < 3; i++) {
      await run(
        `insert into audit_logs (id, user_id, action, entity_type, entity_id, by_staff, created_at)
          values (?1, ?2, 'UPDATE', 'user', ?2, 0, 0)`,
        crypto.randomUUID(),
        staff.userId,
      );
    }
    const logs = await call("GET", `/api/users/${staff.userId}/audit-logs?page_size=1`, { token });
    const foreign = logs.body.data.next_cursor;
    expect(foreign, JSON.stringify(logs.body)).toEqual(expect.any(String));
    await expectRefused(`cursor=${encodeURIComponent(foreign)}`, "cursor");
    expect((await directory(staff, `${query}&cursor=${cursor}`)).status, "as it was given").toBe(200);
  });

  test("a cursor still works after its user was deleted", async () => {
    const era = newEra();
    const people = await insertPeople(Array.from({ length: 4 }, (_, i) => ({ joinedAt: era + i })));
    const query = `${duringEra(era)}&page_size=2`;
    const cursor = (await directory(staff, query)).body.data.pagination.next_cursor;
    await testEnv.DB.prepare("delete from users where id in (?, ?)").bind(people[2]?.id, people[1]?.id).run();
    expect(idsOf(await directory(staff, `${query}&cursor=${cursor}`))).toEqual([people[0]?.id]);
  });
});
