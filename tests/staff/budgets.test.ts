import { beforeAll, describe, expect, test } from "vitest";
import { type CallOptions, newEmail, newPhone, type SignedIn } from "../support/client.ts";
import { newStaff, newUser, promote } from "../support/kyc.ts";
import { type Cost, costOf } from "../support/simulator/budget.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { DAY_MS, deliverSearch, duringEra, insertPeople, newEra } from "../support/staff.ts";

let staff: SignedIn;
let user: SignedIn;
const era = newEra();
const mark = `crowd${Math.floor(Math.random() * 1e9)}`;

beforeAll(async () => {
  [staff, user] = [await newStaff(), await newUser()];
  await promote(staff, "admin");
  const statuses = ["ACTIVE", "INACTIVE", "BANNED"] as const;
  const kyc = ["NOT_SUBMITTED", "PENDING", "APPROVED", "REJECTED"] as const;
  const people = await insertPeople(
    Array.from({ length: 800 }, (_, i) => ({
      username: `${mark}.${i}`,
      phone: `+97797155${String(i).padStart(5, "0")}`,
      joinedAt: era + i * 1_000,
      lastLoginAt: i % 5 ? era + ((i * 7919) % 800) * 60_000 : null,
      status: statuses[i % 3] ?? "ACTIVE",
      kycStatus: kyc[i % 4] ?? "PENDING",
      emailVerified: i % 2 === 0,
      phoneVerified: i % 7 !== 0,
    })),
  );
  await deliverSearch(people.map(({ id }) => id));
}, 60_000);

async function measure(method: string, path: string, options: CallOptions, expected = 200) {
  const simulation = new Simulation(1);
  const answer = await simulation.call(method, path, options);
  if (answer === "died" || answer.status !== expected) throw new Error(`${path}: ${JSON.stringify(answer)}`);
  return { ...answer, cost: costOf(simulation.log), log: simulation.log };
}

const get = (path: string, expected = 200) => measure("GET", path, { token: staff.access }, expected);
const trips = ({ d1, search, kv, r2, queue }: Cost) => ({ d1, search, kv, r2, queue });

describe("D1 round trips of staff routes", () => {
  test("every GET except a search makes one round trip", async () => {
    const own = `/api/users/${user.userId}`;
    for (const [path, status] of [
      ["/api/users", 200],
      [`/api/users?status=BANNED&ordering=-last_login&${duringEra(era)}&page=3`, 200],
      [own, 200],
      [`${own}?mask=true`, 200],
      ["/api/users?expand=summary", 200],
      [`${own}/access`, 200],
      [`${own}/sessions`, 200],
      [`${own}/analytics-report`, 404],
      [`${own}/audit-logs`, 200],
      ["/api/users/kyc/submissions", 200],
      ["/api/users/kyc/submissions?mask=true", 200],
      [`${own}/kyc`, 404],
      ["/api/staff/overview?days=90", 200],
      ["/api/staff/delivery", 200],
      ["/api/staff/members", 200],
      [`/api/staff/audit-logs?actor_id=${staff.userId}`, 200],
      ["/api/staff/dead-letters", 200],
      ["/api/staff/dead-letters?state=REPLAYED&type=x", 200],
      ["/api/staff/jobs", 200],
    ] as const) {
      const { cost } = await get(path, status);
      expect(trips(cost), path).toEqual({ d1: 1, search: 0, kv: 0, r2: 0, queue: 0 });
    }
  });

  test("a search makes three round trips (primary, search, primary), and only staff reach the search database", async () => {
    for (const text of [mark, "9715500", "+97797155", "9", "zz", "nobody.at.all", user.identifier, user.userId]) {
      const { cost, log } = await get(`/api/users?search=${encodeURIComponent(text)}`);
      const order = log.filter(({ beforeResponse }) => beforeResponse).map(({ binding }) => binding);
      expect(cost.d1, text).toBe(2);
      expect(order.slice(0, 2), text).toEqual(["D1", "SEARCH_DB"]);
      expect(cost.search, text).toBeLessThanOrEqual(2);
      expect({ kv: cost.kv, r2: cost.r2, queue: cost.queue }, text).toEqual({ kv: 0, r2: 0, queue: 0 });
    }
    for (const token of [user.access, undefined]) {
      const simulation = new Simulation(1);
      const answer = await simulation.call("GET", `/api/users?search=${mark}`, token ? { token } : {});
      expect(answer).toMatchObject({ status: token ? 403 : 401 });
      expect(simulation.log.filter(({ binding }) => binding === "SEARCH_DB")).toEqual([]);
    }
  });

  test("a staff write makes at most two round trips", async () => {
    const target = await newUser();
    const own = `/api/users/${target.userId}`;
    const reason = "asked";
    const writes: [string, string, unknown?, number?][] = [
      ["POST", "/api/users", { identifier: newPhone(), username: `w${Date.now()}` }, 201],
      ["POST", "/api/users", { identifier: newEmail() }, 201],
      ["PATCH", own, { full_name: "Asha Gurung", profile_picture: "https://example.com/a.png" }],
      ["PUT", own, { address: null, username: `v${Date.now()}`, reason }],
      ["PATCH", own, { email: newEmail(), phone_number: newPhone(), reason }],
      ["POST", `${own}/status`, { status: "BANNED", reason }],
      ["POST", `${own}/status`, { status: "ACTIVE" }],
      ["POST", `${own}/unlock`, { reason }],
      ["POST", `${own}/reveal`, { fields: ["email", "phone_number"] }],
      ["POST", `${own}/notes`, { text: reason }, 201],
      ["POST", `${own}/analytics-report`, undefined, 202],
      ["DELETE", `${own}/sessions`],
      ["POST", "/api/staff/dead-letters", { action: "REPLAY", ids: ["x"], reason }],
      ["PUT", `/api/users/${user.userId}/role`, { role: "staff", reason }],
      ["PUT", `/api/users/${user.userId}/role`, { role: "user", reason }],
    ];
    for (const [method, path, json, status = 200] of writes) {
      const { cost } = await measure(method, path, { token: staff.access, ...(json ? { json } : {}) }, status);
      expect(cost.d1, `${method} ${path}`).toBeLessThanOrEqual(2);
      expect({ ...trips(cost), d1: 0 }, `${method} ${path}`).toEqual({ d1: 0, search: 0, kv: 0, r2: 0, queue: 0 });
    }
  });

  test("a change of all fields stays within D1's limit of bound parameters", async () => {
    const target = await newUser();
    const json = {
      username: `all${Date.now()}`,
      email: newEmail(),
      phone_number: newPhone(),
      reason: "asked",
      profile_picture: "https://example.com/p.png",
      full_name: "Asha Gurung",
      date_of_birth: "1990-02-03",
      address: "Patan",
      avatar_url: "https://example.com/a.png",
    };
    const { body } = await measure("PUT", `/api/users/${target.userId}`, { token: staff.access, json });
    expect(body.data).toMatchObject({ username: json.username, email: json.email, phone_number: json.phone_number });
    expect(body.data.profile).toMatchObject({ full_name: json.full_name, address: json.address });
  });
});

describe("rows read by a page of the directory", () => {
  const ORDERINGS = ["date_joined", "-date_joined", "last_login", "-last_login", "username", "-username"];
  const FILTERS = [
    "",
    "status=BANNED",
    "email_verified=true",
    "phone_verified=false",
    "kyc_status=PENDING",
    "status=ACTIVE&kyc_status=APPROVED",
    "status=INACTIVE&email_verified=true&phone_verified=true&kyc_status=PENDING",
  ];
  /**
   * The most rows that a page may read. For each status bucket of the filter (at most 24; 48 when ordered by
   * last_login), its count and one row ahead are read, which on the smallest pages is more than the page.
   */
  const limit = (pageSize: number) => Math.max(3 * pageSize + 50, 2 * pageSize + 55);

  test.each(ORDERINGS)(
    "by %s are at most 3n + 50 for a page of n users, or 2n + 55 for fewer than five, whatever the filter",
    async (ordering) => {
      const most: Record<string, number> = {};
      for (const filter of FILTERS) {
        for (const size of [1, 5, 20, 100]) {
          const query = `ordering=${ordering}&page_size=${size}${filter && `&${filter}`}`;
          const first = await get(`/api/users?${query}`);
          most[`${filter} ${size}`] = first.cost.rowsRead;
          expect.soft(first.cost.rowsRead, query).toBeLessThanOrEqual(limit(size));
          const { next_cursor } = first.body.data.pagination;
          if (!next_cursor) continue;
          const second = await get(`/api/users?${query}&cursor=${next_cursor}`);
          expect.soft(second.cost.rowsRead, `${query}, second page`).toBeLessThanOrEqual(limit(size));
        }
      }
      console.log(`${ordering} ${JSON.stringify(most)}`);
    },
  );

  test("a date filter in joining order reads no more rows than the page", async () => {
    const instant = (at: number) => new Date(at).toISOString();
    for (const dates of [duringEra(era), `start_date=${instant(era + 300_000)}&end_date=${instant(era + 500_000)}`]) {
      for (const filter of FILTERS) {
        for (const ordering of ["date_joined", "-date_joined"]) {
          const query = `${dates}&ordering=${ordering}${filter && `&${filter}`}`;
          const { cost } = await get(`/api/users?${query}`);
          expect.soft(cost.rowsRead, query).toBeLessThanOrEqual(limit(20));
        }
      }
    }
    const none = `start_date=${instant(era - DAY_MS)}&end_date=${instant(era - 1)}`;
    expect((await get(`/api/users?${none}&ordering=-date_joined`)).cost.rowsRead).toBeLessThanOrEqual(limit(20));
  });

  test.each(["date_joined", "-date_joined", "last_login", "-last_login"])(
    "by %s are as few if hundreds of users have the same sort key",
    async (ordering) => {
      const tied = newEra();
      const together = { joinedAt: tied, lastLoginAt: null, status: "BANNED", kycStatus: "REJECTED" } as const;
      await insertPeople(Array.from({ length: 400 }, () => together));
      const filters = ["", "status=BANNED&kyc_status=REJECTED"];
      if (ordering.includes("joined")) filters.push(duringEra(tied));
      for (const filter of filters) {
        let cursor = "";
        const seen = new Set<string>();
        for (let page = 0; page < 12; page++) {
          const query = `ordering=${ordering}&page_size=20&${filter}${cursor}`;
          const { body, cost } = await get(`/api/users?${query}`);
          expect.soft(cost.rowsRead, `${ordering} ${filter}, page ${page}`).toBeLessThanOrEqual(limit(20));
          for (const { id } of body.data.results) seen.add(id);
          if (body.data.pagination.next_cursor === null) break;
          cursor = `&cursor=${body.data.pagination.next_cursor}`;
        }
        expect(seen.size, "each user once").toBe(240);
      }
    },
  );

  test("a page number reads its offset in addition", async () => {
    for (const page of [2, 10, 30]) {
      const { cost } = await get(`/api/users?page=${page}&page_size=20&status=ACTIVE`);
      expect(cost.rowsRead).toBeLessThanOrEqual(limit(20) + 3 * page * 20);
    }
  });

  test("a search reads a bounded number of rows when hundreds match", async () => {
    const read: Record<string, number> = {};
    for (const text of [mark, "9715500", "+977971550", "97155", `${mark}.79`, user.identifier]) {
      for (const filter of ["", "status=BANNED", "status=BANNED&kyc_status=APPROVED"]) {
        const { cost } = await get(`/api/users?search=${encodeURIComponent(text)}${filter && `&${filter}`}`);
        read[`${text} ${filter}`] = cost.rowsRead;
        // The scan is limited to 2,000 candidates per page, each an index entry and a search entry.
        expect.soft(cost.rowsRead, `${text} ${filter}`).toBeLessThanOrEqual(4_000 + limit(20));
        if (!filter) expect.soft(cost.rowsRead, text).toBeLessThanOrEqual(limit(20) + 60);
      }
    }
    console.log(JSON.stringify(read));
  });
});
