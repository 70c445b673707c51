import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newEmail, testEnv } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { run } from "../support/database.ts";
import { findMiscounts } from "../support/invariants.ts";
import { recordLog } from "../support/production.ts";
import { consume } from "../support/queue.ts";
import type { TaskMessage } from "../support/tasks.ts";
import { tick } from "../support/tasks.ts";

const JOB = "check_user_counts";
const DAY_MS = 86_400_000;
let now = Date.UTC(2095, 0, 1, 22);

beforeEach(async () => {
  now += DAY_MS;
  stopClock({ at: now });
  await run("delete from users");
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Inserts users `prefix-00001`, `prefix-00002` and so on, spread over four status buckets. */
const insertUsers = (prefix: string, howMany: number) =>
  run(
    `insert into users (id, username, username_key, email, email_verified, phone_verified, referral_code, status, role,
      social_provider, locale, date_joined, updated_at, version)
      select ?1 || '-' || printf('%05d', value), ?1 || value, ?1 || value, ?3 || ?1 || value, value % 2, 0, ?1 || value,
        case value % 3 when 0 then 'BANNED' else 'ACTIVE' end, 'user', 'EMAIL', 'en', 0, 0, 1
      from (with recursive n(value) as (select 1 union all select value + 1 from n where value < ?2) select value from n)`,
    prefix,
    howMany,
    newEmail(),
  );

/** A queue that holds the messages of this job. */
function heldJobs() {
  const held: TaskMessage[] = [];
  const sendBatch = async (messages: Iterable<{ body: TaskMessage }>) => {
    for (const { body } of messages) if (body.payload.includes(JOB)) held.push(structuredClone(body));
  };
  return { held, env: { TASK_QUEUE: { sendBatch } as unknown as Queue } };
}

/**
 * Runs the job until it sends no further message, in at most ten rounds. `between` is called after each chunk; `around`
 * runs every batch that the job sends to the database.
 *
 * @returns the number of chunks, and the rows read by the batch that read the most.
 */
async function runJob(
  between: (nth: number) => Promise<unknown> = async () => {},
  around: (batch: () => Promise<unknown>, statements: readonly string[]) => Promise<unknown> = (batch) => batch(),
) {
  const { held, env } = heldJobs();
  await tick(env);
  let chunks = 0;
  let rowsRead = 0;
  const texts = new WeakMap<object, string>();
  const DB = new Proxy(testEnv.DB, {
    get(target, name) {
      if (name === "prepare")
        return (text: string) => {
          const bind = (...values: unknown[]) => {
            const bound = target.prepare(text).bind(...values);
            texts.set(bound, text);
            return bound;
          };
          return { bind };
        };
      if (name !== "batch") return Reflect.get(target, name).bind(target);
      return async (batch: D1PreparedStatement[]) => {
        const statements = batch.map((each) => texts.get(each) ?? "");
        const isChunk = statements.some((text) => /^update "user_counts"/.test(text));
        const results = (await around(() => target.batch(batch), statements)) as D1Result[];
        if (isChunk) {
          rowsRead = Math.max(rowsRead, ...results.map(({ meta }) => meta.rows_read));
          await between(chunks++);
        }
        return results;
      };
    },
  });
  for (let round = 0; round < 10 && held.length > 0; round++) await consume(held.splice(0), { ...env, DB }, 1, "tasks");
  return { chunks, rowsRead };
}

const finished = async () =>
  (
    await testEnv.DB.prepare(
      "select * from job_runs where name = ? and period_started_at > ? and finished_at is not null",
    )
      .bind(JOB, now - DAY_MS)
      .all()
  ).results.length;

describe("check_user_counts", () => {
  it("corrects wrong counters and reports how many there were", async () => {
    await insertUsers("drift", 4_500);
    await run("update user_counts set by_status_bucket = json_set(by_status_bucket, '$[2]', 7, '$[47]', 3)");
    expect(await findMiscounts()).toHaveLength(2);
    const lines = recordLog();
    const { chunks } = await runJob();
    expect(chunks).toBeGreaterThan(3);
    expect(await findMiscounts()).toEqual([]);
    expect(lines.filter(({ event }) => event === "user_counts_drift")).toEqual([
      expect.objectContaining({ alert: true, buckets: 2 }),
    ]);
    expect(await finished()).toBe(1);
    const row = await testEnv.DB.prepare("select recount, recounted_to from user_counts").first();
    expect(row).toEqual({ recount: null, recounted_to: null });
  });

  it("reports no drift if there is none", async () => {
    await insertUsers("exact", 2_500);
    const lines = recordLog();
    await runJob();
    expect(lines.filter(({ event }) => event === "user_counts_drift")).toEqual([]);
    expect(await findMiscounts()).toEqual([]);
  });

  it("is exact while users on both sides of its position sign up, change status and are deleted", async () => {
    await insertUsers("m", 6_500);
    const lines = recordLog();
    await run("update user_counts set by_status_bucket = json_set(by_status_bucket, '$[0]', 9999)");
    await runJob(async (nth) => {
      if (nth > 6) return;
      await insertUsers(`a${nth}`, 3);
      await insertUsers(`z${nth}`, 3);
      for (const at of [10 + nth, 3_000 + nth, 6_400 + nth]) {
        const id = (offset: number) => `m-${String(at + offset).padStart(5, "0")}`;
        await run("update users set status = 'INACTIVE' where id = ?", id(0));
        await run("update users set email_verified = 1 - email_verified where id = ?", id(20));
        await run("delete from users where id = ?", id(40));
        // Changing only an identifier does not change the bucket.
        await run("update users set username = 'new' || id where id = ?", id(60));
      }
    });
    expect(await findMiscounts()).toEqual([]);
    expect(lines.filter(({ event }) => event === "user_counts_drift")).toMatchObject([{ buckets: 1 }]);
    expect(await finished()).toBe(1);
  });

  it("counts nobody twice if the answer to a chunk is lost and the job continues later", async () => {
    await insertUsers("lost", 4_500);
    await run("update user_counts set by_status_bucket = json_set(by_status_bucket, '$[1]', 5)");
    let isLost = false;
    await runJob(undefined, async (batch, statements) => {
      const results = await batch();
      if (!isLost && statements.some((text) => text.includes("sum(status_bucket"))) {
        isLost = true;
        throw new Error("D1_ERROR: Network connection lost.");
      }
      return results;
    });
    expect(isLost).toBe(true);
    expect(await finished()).toBe(0);
    vi.setSystemTime(Date.now() + 61_000);
    await runJob();
    expect(await finished()).toBe(1);
    expect(await findMiscounts()).toEqual([]);
  });

  it("reads as many rows per chunk with 12,000 users as with 4,000", async () => {
    await insertUsers("few", 4_000);
    const few = await runJob();
    await insertUsers("many", 8_000);
    now += DAY_MS;
    vi.setSystemTime(now);
    const many = await runJob();
    expect(many.chunks).toBe(few.chunks + 4);
    expect(many.rowsRead).toBe(few.rowsRead);
  });
});
