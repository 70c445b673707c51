import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { replayStatements } from "../../../scripts/replay.ts";
import { firstIdAt } from "../../../src/platform/uuid.ts";
import { testEnv } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { rows } from "../../support/database.ts";
import { newId } from "../../support/ids.ts";
import { databaseWithout, recordLog } from "../../support/production.ts";
import { consume } from "../../support/queue.ts";
import { type TaskMessage, tick } from "../../support/tasks.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const PURGE = "purge_expired_rows";
/** The first and last tables that the purge deletes from; if they fail, every run fails. */
const broken = () => databaseWithout(/delete from "(otp_challenges|analytics_reports)"/);

/** Each test uses its own weeks. */
let now = Date.UTC(2091, 0, 1);

beforeEach(async () => {
  now += 100 * DAY_MS;
  stopClock({ at: now });
  await testEnv.DB.batch(
    [
      "delete from outbox",
      "update job_runs set finished_at = 0 where finished_at is null",
      "delete from job_failures",
      "delete from dead_letters",
    ].map((each) => testEnv.DB.prepare(each)),
  );
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const openRuns = (name: string) =>
  rows<{ period_started_at: number; cursor: string | null; chunks: number; leased_until: number }>(
    "select * from job_runs where name = ? and finished_at is null",
    name,
  );
const letters = () =>
  rows<{ id: string; reason: string; payload: string }>("select * from dead_letters where type = 'job.due'");

/** A task queue that holds its messages. */
function heldQueue() {
  const held: TaskMessage[] = [];
  const sendBatch = async (messages: Iterable<{ body: TaskMessage }>) => {
    for (const { body } of messages) held.push(structuredClone(body));
  };
  return { held, env: { TASK_QUEUE: { sendBatch } as unknown as Queue } };
}

/** Runs one tick and delivers its messages in one batch. */
async function minute(env: Partial<Env> = {}): Promise<void> {
  const { held, env: queue } = heldQueue();
  await tick({ ...env, ...queue });
  const asked = held.splice(0).filter(({ type }) => type === "job.due");
  if (asked.length > 0) await consume(asked, { ...env, ...queue }, 1, "tasks");
  vi.setSystemTime(Date.now() + MINUTE_MS);
}

describe("A failing job", () => {
  it("is retried after a delay that doubles up to an hour, with an alert each time", async () => {
    const lines = recordLog();
    const failedAt: number[] = [];
    for (let at = 0; at < 58; at++) {
      const before = lines.length;
      await minute(broken());
      if (lines.slice(before).some(({ event, job }) => event === "job_failed" && job === PURGE)) failedAt.push(at);
    }
    expect(failedAt).toEqual([0, 1, 3, 7, 15, 31]);
    const alerts = lines.filter(({ event, job }) => event === "job_failed" && job === PURGE);
    expect(alerts.at(-1)).toMatchObject({ level: "error", alert: true, failures: 6, reason: expect.any(String) });
    expect(String(alerts.at(-1)?.failing_since)).toBe(new Date(now).toISOString());
  });

  it("has one open run at any time: a new period supersedes the previous run", async () => {
    const first = Math.floor(now / HOUR_MS) * HOUR_MS;
    for (let hour = 0; hour < 4; hour++) {
      vi.setSystemTime(now + hour * HOUR_MS);
      await minute(broken());
      expect((await openRuns(PURGE)).map((run) => run.period_started_at)).toEqual([first + hour * HOUR_MS]);
    }
    const closed = await rows(
      "select leased_by from job_runs where name = ? and period_started_at between ? and ? and finished_at is not null",
      PURGE,
      first,
      first + 3 * HOUR_MS,
    );
    expect(closed).toEqual(Array(3).fill({ leased_by: "superseded" }));
    vi.setSystemTime(now + 5 * HOUR_MS);
    await minute();
    expect(await openRuns(PURGE)).toEqual([]);
    expect(await rows("select * from job_failures where name = ?", PURGE)).toEqual([]);
  });

  it("has a period that begins when the job is due, also if that is hours after the start of the day", async () => {
    const name = "check_user_counts";
    const { held, env } = heldQueue();
    for (const [at, period] of [
      [now + 21 * HOUR_MS - 1, now - 3 * HOUR_MS],
      [now + 21 * HOUR_MS, now + 21 * HOUR_MS],
      [now + 30 * HOUR_MS, now + 21 * HOUR_MS],
    ] as const) {
      vi.setSystemTime(at);
      await tick(env);
      expect((await openRuns(name)).map((run) => run.period_started_at)).toEqual([period]);
    }
    expect(held.length).toBeGreaterThan(0);
  });

  it("becomes one dead letter with its reason after failing for exactly a day, and runs again next period", async () => {
    const lines = recordLog();
    // At half past, so that no new period begins at the boundary.
    const start = now + 30 * MINUTE_MS;
    for (let hour = 0; hour < 24; hour++) {
      vi.setSystemTime(start + hour * HOUR_MS);
      await minute(broken());
    }
    await testEnv.DB.prepare("update job_runs set leased_until = 0 where finished_at is null").run();
    vi.setSystemTime(start + DAY_MS - 1);
    await minute(broken());
    expect(await letters()).toEqual([]);
    await testEnv.DB.prepare("update job_runs set leased_until = 0 where finished_at is null").run();
    vi.setSystemTime(start + DAY_MS);
    await minute(broken());
    const [letter, ...more] = await letters();
    expect(more).toEqual([]);
    expect(letter).toMatchObject({ payload: JSON.stringify({ name: PURGE }), reason: expect.stringContaining(PURGE) });
    expect(letter?.reason).toContain("service is temporarily unavailable");
    expect(lines).toContainEqual(expect.objectContaining({ event: "dead_letter", dead_letter_id: letter?.id }));
    expect(await openRuns(PURGE)).toEqual([]);
    await minute(broken());
    expect(await letters()).toHaveLength(1);
    vi.setSystemTime(start + DAY_MS + 31 * MINUTE_MS);
    await minute();
    const runs = await rows("select leased_by from job_runs where name = ? order by period_started_at desc", PURGE);
    expect(runs[0]).toEqual({ leased_by: null });
    expect(await rows("select * from job_failures where name = ?", PURGE)).toEqual([]);
  });

  it("counts as working again after two hours without a failure", async () => {
    vi.setSystemTime(now + 30 * MINUTE_MS);
    await minute(broken());
    await testEnv.DB.prepare("update job_runs set leased_until = 0 where finished_at is null").run();
    const [before] = await rows<{ failing_since: number }>("select * from job_failures where name = ?", PURGE);
    vi.setSystemTime(now + 150 * MINUTE_MS + 1);
    await minute(broken());
    const [after] = await rows<{ failing_since: number; failures: number }>(
      "select * from job_failures where name = ?",
      PURGE,
    );
    expect(after).toMatchObject({ failing_since: now + 150 * MINUTE_MS + 1, failures: 1 });
    expect(before?.failing_since).toBe(now + 30 * MINUTE_MS);
  });

  it("is started again by replaying its dead letter", async () => {
    const id = newId();
    await testEnv.DB.prepare(
      `insert into dead_letters (id, queue, event_id, type, payload, reason, attempts, created_at)
        values (?1, 'tasks', ?1, 'job.due', ?2, 'why', 9, ?3)`,
    )
      .bind(id, JSON.stringify({ name: PURGE }), now)
      .run();
    await testEnv.DB.batch(replayStatements(id).map((each) => testEnv.DB.prepare(each)));
    const { held, env } = heldQueue();
    await tick(env);
    const replayed = held.filter(({ event_id }) => event_id === id);
    expect(replayed).toHaveLength(1);
    await consume([...replayed, ...replayed], env, 1, "tasks");
    expect(
      await rows("select finished_at, leased_by from job_runs where name = ? and period_started_at = ?", PURGE, now),
    ).toEqual([{ finished_at: now, leased_by: null }]);
  });

  it("counts a dead invocation as a failure, and is resumed as soon as its lease is over", async () => {
    const lines = recordLog();
    await minute();
    await testEnv.DB.prepare("insert into job_runs values (?, ?, null, 3, 0, ?, 'an invocation that died', null)")
      .bind(PURGE, Date.now() + 1, Date.now() + MINUTE_MS)
      .run();
    await minute();
    expect(lines.filter(({ event }) => event === "job_failed")).toEqual([]);
    expect(await openRuns(PURGE)).toHaveLength(1);
    await minute();
    const failed = lines.filter(({ event }) => event === "job_failed");
    expect(failed).toMatchObject([{ job: PURGE, reason: "the invocation did not end" }]);
    expect(await openRuns(PURGE)).toEqual([]);
  });
});

describe("A superseded run", () => {
  it("is continued by the new period at its position, and its own invocation changes nothing more", async () => {
    const userId = "superseded";
    const createdAt = now - 366 * DAY_MS;
    const insertAudit = async (howMany: number) =>
      testEnv.DB.prepare(
        `insert into audit_logs (id, user_id, action, entity_type, entity_id, by_staff, created_at)
          select ?4 || '-' || value, ?1, 'VIEW', 'user', ?1, 0, ?2
          from (with recursive n(value) as (select 1 union all select value + 1 from n where value < ?3) select value from n)`,
      )
        .bind(userId, createdAt, howMany, firstIdAt(createdAt))
        .run();
    const job = "cleanup_expired_audit_logs";
    await insertAudit(10);
    const { held, env } = heldQueue();
    await tick(env);
    const asked = held.splice(0).find(({ payload }) => payload.includes(job)) as TaskMessage;
    // While the old run is working, a day passes and the next tick comes before its first chunk.
    let isDone = false;
    const DB = new Proxy(testEnv.DB, {
      get(target, name) {
        if (name !== "batch") return Reflect.get(target, name).bind(target);
        return async (batch: D1PreparedStatement[]) => {
          const results = await target.batch(batch);
          const [run] = await openRuns(job);
          if (!isDone && run && run.leased_until > Date.now()) {
            isDone = true;
            vi.setSystemTime(Date.now() + DAY_MS);
            await tick(env);
          }
          return results;
        };
      },
    });
    await consume([asked], { ...env, DB }, 1, "tasks");
    expect(isDone).toBe(true);
    expect(await rows("select 1 from audit_logs where user_id = ?", userId)).toHaveLength(10);
    const next = held.splice(0).filter(({ payload }) => payload.includes(job));
    expect(next).toHaveLength(1);
    await consume(next, env, 1, "tasks");
    expect(await rows("select 1 from audit_logs where user_id = ?", userId)).toEqual([]);
  });

  it("passes its cursor on unless it failed", async () => {
    const last = Math.floor(now / HOUR_MS) * HOUR_MS - HOUR_MS;
    const insert = (cursor: string) =>
      testEnv.DB.prepare("insert or replace into job_runs values (?, ?, ?, 5, 0, 0, null, null)")
        .bind(PURGE, last, cursor)
        .run();
    await insert("4");
    await tick(heldQueue().env);
    expect(await openRuns(PURGE)).toMatchObject([{ period_started_at: last + HOUR_MS, cursor: "4" }]);
    await testEnv.DB.prepare("delete from job_runs where name = ?").bind(PURGE).run();
    await insert("4");
    await testEnv.DB.prepare("insert into job_failures values (?, ?, ?, 1, 'why')").bind(PURGE, last, last).run();
    await tick(heldQueue().env);
    expect(await openRuns(PURGE)).toMatchObject([{ period_started_at: last + HOUR_MS, cursor: null }]);
  });
});

describe("A batch of eight job messages", () => {
  it("stays below 1,000 queries in one invocation, and later messages do the rest", async () => {
    // More audit rows than one invocation can delete.
    const createdAt = now - 400 * DAY_MS;
    await testEnv.DB.prepare(
      `insert into audit_logs (id, user_id, action, entity_type, entity_id, by_staff, created_at)
        select ?2 || '-' || value, 'many', 'VIEW', 'user', 'many', 0, ?1
        from (with recursive n(value) as (select 1 union all select value + 1 from n where value < 300000) select value from n)`,
    )
      .bind(createdAt, firstIdAt(createdAt))
      .run();
    const { held, env } = heldQueue();
    await tick(env);
    const audit = held.splice(0).find(({ payload }) => payload.includes("cleanup_expired_audit_logs")) as TaskMessage;
    // Eight long runs of one job that share the rows.
    const period = (i: number) => -1_000 - i;
    await testEnv.DB.batch(
      Array.from({ length: 8 }, (_, i) =>
        testEnv.DB.prepare(
          "insert into job_runs values ('cleanup_expired_audit_logs', ?, null, 0, 0, 0, null, null)",
        ).bind(period(i)),
      ),
    );
    let queries = 0;
    const DB = new Proxy(testEnv.DB, {
      get(target, name) {
        if (name !== "batch") return Reflect.get(target, name).bind(target);
        return (batch: D1PreparedStatement[]) => {
          queries += batch.length;
          return target.batch(batch);
        };
      },
    });
    const body = (i: number) => ({
      ...audit,
      event_id: `eight-${i}`,
      payload: JSON.stringify({ name: "cleanup_expired_audit_logs", period_started_at: period(i) }),
    });
    await consume(
      Array.from({ length: 8 }, (_, i) => body(i)),
      { ...env, DB },
      1,
      "tasks",
    );
    expect(queries).toBeGreaterThan(600);
    expect(queries).toBeLessThan(1_000);
    for (let round = 0; round < 30 && held.length > 0; round++) {
      queries = 0;
      await consume(held.splice(0, 10), { ...env, DB }, 1, "tasks");
      expect(queries).toBeLessThan(1_000);
    }
    expect(held).toEqual([]);
    expect(await rows("select 1 from audit_logs where user_id = 'many' limit 1")).toEqual([]);
    expect(await rows("select 1 from job_runs where period_started_at < 0 and finished_at is null")).toEqual([]);
  }, 60_000);
});
