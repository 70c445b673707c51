import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { purgeRules } from "../../src/tasks/retention.ts";
import { stopClock } from "../support/clock.ts";
import { rows } from "../support/database.ts";
import { countedDatabase, runJob } from "../support/jobs.ts";
import { deleteManyPeople, insertManyPeople, numbers } from "../support/people-rows.ts";
import { nameOf } from "../support/retention.ts";
import { insertPurgeable } from "../support/retention-rows.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Tolerance for the number of rows read, which varies slightly between runs. */
const SLACK = 40;

/** Each test has a time of its own, further from the last one than any rule keeps rows. */
let today = Date.UTC(2035, 0, 1, 5);

beforeEach(async () => {
  await env.DB.batch(
    ["users", "outbox", "audit_logs", "otp_challenges"].map((table) => env.DB.prepare(`delete from ${table}`)),
  );
  today += 500 * DAY_MS;
  stopClock({ at: today });
});
afterEach(() => vi.useRealTimers());

/** Runs the job and returns the rows that its batches read. */
async function measure(name: string, given: Partial<Env> = {}) {
  const database = countedDatabase();
  const run = await runJob(name, { ...database.env, ...given });
  return { ...run, ...database.take() };
}

describe.each(["purge_expired_rows", "purge_expired_sessions"] as const)("%s", (job) => {
  const rules = purgeRules.map((rule, i) => ({ rule, i })).filter(({ rule }) => rule.by === job);

  it("reads only due rows by key, and each row at most twice in a scan, chunk by chunk", async () => {
    for (const find of ["key", "scan"] as const) {
      const before = await measure(job);
      const found = rules.filter(({ rule }) => rule.find === find);
      for (const { rule, i } of found) await insertPurgeable(rule, today + HOUR_MS, `young${i}`, 4_000);
      const idle = await measure(job);
      expect(idle.processed).toBe(0);
      // Each rule that scans a table reads the rows inserted for all rules of that table.
      const scansOf = (table: unknown) =>
        rules.filter(({ rule }) => rule.find === "scan" && rule.table === table).length;
      const scans = found.reduce((sum, { rule }) => sum + scansOf(rule.table), 0);
      expect(idle.all - before.all, find).toBeLessThan(scans * 2 * 4_000 + idle.chunks * SLACK);
      expect(idle.most).toBeLessThan(2_000 * 2 + SLACK);
    }
  });

  it("reads at most one chunk of rows per rule at a time, and each due row a few times", async () => {
    await runJob(job);
    for (const { rule, i } of rules) {
      if (rule.becomes) continue;
      await insertPurgeable(rule, today - rule.keptMs - DAY_MS, `due${i}`, 2_500);
      const { chunks, processed, most, all } = await measure(job);
      expect(processed, nameOf(rule)).toBeGreaterThanOrEqual(2_500);
      expect(most, nameOf(rule)).toBeLessThan(2_000 * 8);
      expect(all, nameOf(rule)).toBeLessThan(2_500 * 8 + chunks * SLACK);
    }
  });
});

describe("purge_expired_sessions", () => {
  it("marks a session that expired within 30 days once", async () => {
    await insertManyPeople("expired", 1, { joined: today, fullName: "Asha Gurung" });
    const insert = (prefix: string, count: number) =>
      env.DB.prepare(
        `insert into sessions (id, user_id, created_at, last_used_at, counter, refresh_key_id, rotated_at, rotated_by, replays,
          idle_ttl_ms, idle_expires_at, absolute_expires_at, ip, method)
          select '${prefix}-' || value, 'expired-1', 0, 0, 0, '', 0, '', 0, 0, ?2, ?2, '', 'OTP_PHONE' from ${numbers("?1")}`,
      )
        .bind(count, today - 10 * DAY_MS)
        .run();
    await runJob("purge_expired_sessions");
    await insert("s", 3_000);
    expect((await measure("purge_expired_sessions")).processed).toBe(3_000);
    expect((await measure("purge_expired_sessions")).processed).toBe(0);
    expect((await rows("select count(*) as n from sessions where id glob 's-*'"))[0]).toEqual({ n: 3_000 });
  });
});

describe("Job cost", () => {
  /** Rows that a chunk reads with `size` rows that are not due, and with ten times as many. */
  async function compare(name: string, fill: (prefix: string, size: number) => Promise<void>) {
    await fill("few", 300);
    const few = await measure(name);
    await fill("many", 3_000);
    return { few, many: await measure(name) };
  }

  it("deactivate_inactive_users does not read users who signed in recently", async () => {
    const { few, many } = await compare("deactivate_inactive_users", (prefix, size) =>
      insertManyPeople(`awake${prefix}`, size, { joined: today - 300 * DAY_MS, lastLogin: today, fullName: "Asha" }),
    );
    expect([few.processed, many.processed]).toEqual([0, 0]);
    expect(many.all).toBeLessThan(few.all + SLACK);
  });

  it("deactivate_inactive_users reads the same number of rows per due user, whatever their number", async () => {
    const costs: number[] = [];
    for (const size of [400, 2_000]) {
      await insertManyPeople(`asleep${size}`, size, { joined: today - 300 * DAY_MS, fullName: "Asha" });
      const { processed, most, all } = await measure("deactivate_inactive_users");
      expect(processed).toBe(size);
      costs.push(all / size);
      expect(most).toBeLessThan(200 * 40);
    }
    expect(costs[1]).toBeLessThan((costs[0] ?? 0) * 1.1);
    for (const size of [400, 2_000]) await deleteManyPeople(`asleep${size}`);
  });

  it.each(["remind_incomplete_profiles", "remind_unverified_people"])(
    "%s reads no user who joined long ago, and each newcomer once per run",
    async (name) => {
      const { few, many } = await compare(name, (prefix, size) =>
        insertManyPeople(`${prefix}-${name}`, size, { joined: today - 300 * DAY_MS, lastLogin: today }),
      );
      expect(many.all).toBeLessThan(few.all + SLACK);
      const costs: number[] = [];
      for (const size of [1_000, 6_000]) {
        await insertManyPeople(`new${size}`, size, { joined: today - 4 * DAY_MS });
        const { processed, chunks, most, all } = await measure(name);
        expect(processed).toBe(size);
        expect(chunks).toBeLessThanOrEqual(Math.floor(size / 500) + 2);
        expect(most).toBeLessThan(500 * 20);
        costs.push(all / size);
        const again = await measure(name);
        expect(again.processed).toBe(0);
        await deleteManyPeople(`new${size}`);
      }
      expect(costs[1]).toBeLessThan((costs[0] ?? 0) * 1.1);
    },
  );

  it("remind_unverified_people reads no rejection older than its limit", async () => {
    const insert = async (prefix: string, size: number, updatedAt: number) => {
      await insertManyPeople(prefix, size, { joined: today - 300 * DAY_MS, lastLogin: today, fullName: "Asha" });
      await env.DB.prepare(
        `insert into kyc (user_id, id, document_type, document_number_sealed, document_number_key_id, document_number_index,
          front_document_id, status, version, changed_by, submitted_at, created_at, updated_at)
          select '${prefix}-' || value, '${prefix}-' || value, '', '', '', '', '', 'REJECTED', 1, '', ?2, ?2, ?2 + value
          from ${numbers("?1")}`,
      )
        .bind(size, updatedAt)
        .run();
    };
    const { few, many } = await compare("remind_unverified_people", (prefix, size) =>
      insert(`old${prefix}`, size, today - 100 * DAY_MS),
    );
    expect(many.all).toBeLessThan(few.all + SLACK);
    await insert("rejected", 1_200, today - 2 * DAY_MS);
    const due = await measure("remind_unverified_people");
    expect(due.processed).toBe(1_200);
    expect(due.most).toBeLessThan(500 * 20);
    expect((await measure("remind_unverified_people")).processed, "each version once").toBe(0);
    for (const prefix of ["oldfew", "oldmany", "rejected"]) await deleteManyPeople(prefix);
  });

  it("check_user_search also deletes entries of deleted users in chunks", async () => {
    const insert = (prefix: string, size: number) =>
      env.SEARCH_DB.prepare(
        `insert into search_entries (sort_key, user_id, version, text, phone_number, status_bucket, written_by, removed_at)
          select ?2 + value, '${prefix}-' || value, 1, '', '', 0, '', ?3 from ${numbers("?1")}`,
      )
        .bind(size, prefix === "few" ? 1e9 : 2e9, today - 8 * DAY_MS)
        .run();
    const search = countedDatabase(env.SEARCH_DB);
    const most: number[] = [];
    for (const [prefix, size] of [
      ["few", 300],
      ["many", 5_000],
    ] as const) {
      await insert(prefix, size);
      await runJob("check_user_search", { SEARCH_DB: search.env.DB });
      most.push(search.take().most);
    }
    expect(most[1]).toBeLessThan(400 * 10);
    const ours = "user_id glob 'few-*' or user_id glob 'many-*'";
    expect(await env.SEARCH_DB.prepare(`select count(*) as n from search_entries where ${ours}`).first("n")).toBe(0);
  });
});
