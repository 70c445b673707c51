import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { dayOf, hourOf, hourStartsAt } from "../../../src/nepal.ts";
import { type Answer, call, newIp, requestCode, type SignedIn, signUp, verify } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { rows, run } from "../../support/database.ts";
import { newId } from "../../support/ids.ts";
import { runJob } from "../../support/jobs.ts";
import { codeOf, decide, documented, newStaff, newUser, submit } from "../../support/kyc.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MINUTE = 60_000;

/** Begins half an hour into an hour of its own, in Kathmandu. */
let era = hourStartsAt(Date.UTC(2041, 3, 1)) + HOUR / 2;
beforeEach(async () => {
  era += 20 * DAY;
  stopClock({ at: era });
  for (const table of [
    "daily_counts",
    "job_cursors",
    "dead_letters",
    "kyc",
    "otp_network_guards",
    "otp_class_guards",
  ]) {
    await run(`delete from ${table}`);
  }
});
afterEach(() => vi.useRealTimers());

const overview = async (query = ""): Promise<Answer> =>
  documented("GET", `/api/staff/overview${query}`, { token: (await newStaff()).access });

/** The stored figure of a metric in the hour of the time; null if it was not counted. */
async function storedAt(metric: string, at: number): Promise<number | null> {
  const [row] = await rows<{ by_hour: string }>(
    "select by_hour from daily_counts where day = ? and metric = ?",
    dayOf(at),
    metric,
  );
  return row ? (JSON.parse(row.by_hour)[hourOf(at)] as number | null) : null;
}

async function insertDeadLetter(): Promise<void> {
  await run(
    "insert into dead_letters (id, queue, reason, attempts, created_at) values (?, 'tasks', 'gone', 1, ?)",
    newId(),
    Date.now(),
  );
}

/** What happens in an hour: 3 sign-ups, one of which signs in again, 2 codes by SMS and one by e-mail, and a decision. */
async function liveAnHour(): Promise<void> {
  const people: SignedIn[] = [];
  for (let i = 0; i < 2; i++) people.push(await newUser());
  people.push(await signUp(`figures${era}${Date.now()}@example.com`, { ip: newIp() }));
  const [person] = people as [SignedIn];
  vi.setSystemTime(Date.now() + 2 * MINUTE);
  const ip = newIp();
  const verification_token = await verify(person.identifier, { ip });
  await call("POST", "/api/auth/login", { ip, json: { identifier: person.identifier, verification_token } });
  await submit(person);
  const staff = await newStaff();
  await decide(staff, person, { status: "REJECTED", rejection_code: "EXPIRED" });
  await requestCode(`+97798411${String(Math.floor(Math.random() * 1e5)).padStart(5, "0")}`, { ip: newIp() });
  await insertDeadLetter();
}
const HOUR_FIGURES = {
  // The member of staff signs up, too.
  sign_ups: 4,
  sign_ins: 1,
  codes_asked_sms: 2,
  codes_asked_email: 1,
  codes_delivered_sms: 2,
  codes_delivered_email: 1,
  codes_verified: 2,
  kyc_decided: 1,
  dead_letters: 1,
};

describe("The job count_hours", () => {
  test("stores the figures of each whole hour in Kathmandu, and a repetition changes nothing", async () => {
    const first = Date.now();
    await liveAnHour();
    vi.setSystemTime(first + HOUR);
    const second = Date.now();
    await submit(await newUser());
    // Three hours later: the runs of two hours were missed.
    vi.setSystemTime(hourStartsAt(first) + 4 * HOUR + 16 * MINUTE);
    for (const _ of [1, 2]) {
      await runJob("count_hours");
      for (const [metric, figure] of Object.entries(HOUR_FIGURES)) {
        expect([metric, await storedAt(metric, first)]).toEqual([metric, figure]);
      }
      expect(await storedAt("sign_ups", second)).toBe(1);
      expect(await storedAt("codes_asked_sms", second)).toBe(0);
      expect(await storedAt("kyc_decided", second)).toBe(0);
      expect(await storedAt("sign_ups", second + 2 * HOUR)).toBe(0);
      // Not yet over.
      expect(await storedAt("sign_ups", second + 3 * HOUR)).toBeNull();
      // How many wait is known of the last hour alone.
      expect(await storedAt("kyc_waiting", second + 2 * HOUR)).toBe(1);
      expect(await storedAt("kyc_waiting", second)).toBeNull();
    }
  });

  test("leaves an hour until its last codes have been used or have expired", async () => {
    const at = Date.now();
    vi.setSystemTime(hourStartsAt(at) + HOUR + 15 * MINUTE - 1);
    await runJob("count_hours");
    expect(await storedAt("sign_ups", at)).toBeNull();
    vi.setSystemTime(hourStartsAt(at) + HOUR + 15 * MINUTE);
    await runJob("count_hours");
    expect(await storedAt("sign_ups", at)).toBe(0);
  });

  test("counts at most 23 missed hours, so that it counts none whose codes are deleted in part", async () => {
    const oldest = hourStartsAt(Date.now()) + HOUR;
    vi.setSystemTime(oldest);
    await requestCode(`+97798411${String(Math.floor(Math.random() * 1e5)).padStart(5, "0")}`, { ip: newIp() });
    vi.setSystemTime(oldest + 24 * HOUR + 15 * MINUTE - 1);
    await runJob("purge_expired_rows");
    await runJob("count_hours");
    expect(await storedAt("codes_asked_sms", oldest)).toBe(1);
    expect(await storedAt("codes_asked_sms", oldest - HOUR)).toBeNull();
  });

  test("writes no row for a sign-up or sign-in", async () => {
    await newUser();
    expect(await rows("select * from daily_counts")).toEqual([]);
  });
});

describe("GET staff/overview", () => {
  test("shows figures by day, the hours that are not stored yet, and the present", async () => {
    const yesterday = Date.now();
    await liveAnHour();
    vi.setSystemTime(hourStartsAt(yesterday) + HOUR + 16 * MINUTE);
    await runJob("count_hours");
    vi.setSystemTime(yesterday + DAY);
    await submit(await newUser());
    await insertDeadLetter();
    await run(
      "insert into otp_network_guards (identifier, network, failures, lock_count, locked_until, last_guess_at) values ('x', 'n', '[]', 1, ?, 0)",
      Date.now() + 1,
    );
    await run(
      "insert into otp_class_guards (identifier, network_class, failures, streak, locked_until, last_guess_at) values ('x', 'other', '[]', 1, ?, 0)",
      Date.now(),
    );
    await run("insert or replace into sms_budget_days values (?, 100, 40, null, 0, 0)", dayOf(Date.now()));
    const { body } = await overview("?days=7");
    const { days, series, now } = body.data;
    expect(days).toHaveLength(7);
    expect(days.slice(-2)).toEqual([dayOf(yesterday), dayOf(Date.now())]);
    for (const [metric, figure] of Object.entries(HOUR_FIGURES)) {
      expect([metric, series[metric].at(-2)]).toEqual([metric, figure]);
      expect(series[metric]).toHaveLength(7);
    }
    // The submitter and the member of staff who asks.
    expect(series.sign_ups.at(-1)).toBe(2);
    expect(series.dead_letters.at(-1)).toBe(1);
    expect(series.kyc_waiting.at(-1)).toBe(1);
    expect([series.sms_spent.at(-1), series.sms_budget.at(-1)]).toEqual([40, 100]);
    expect(now).toEqual({
      kyc_pending: 1,
      kyc_oldest_at: new Date(Date.now()).toISOString(),
      sms_taken: 40,
      sms_budget: 100,
      dead_letters: 2,
      locks: 1,
    });
  });

  test("counts each active sign-in lock once, also classes that 100 failures have closed for a week", async () => {
    const now = Date.now();
    for (const [i, [streak, lockedUntil, lastGuessAt]] of [
      [20, now + 1, now],
      [20, now, now],
      [99, 0, now],
      [100, now + 1, now],
      [100, 0, now - 7 * DAY + 1],
      [100, 0, now - 7 * DAY],
    ].entries()) {
      await run(
        `insert into otp_class_guards (identifier, network_class, failures, streak, locked_until, last_guess_at)
          values (?, 'other', '[]', ?, ?, ?)`,
        `lock${i}@example.com`,
        streak,
        lockedUntil,
        lastGuessAt,
      );
    }
    expect((await overview()).body.data.now.locks).toBe(3);
  });

  test("shows 30 days unless 7 to 90 are asked for", async () => {
    expect((await overview()).body.data.days).toHaveLength(30);
    expect((await overview("?days=90")).body.data.days).toHaveLength(90);
    for (const days of ["6", "91", "x", "7.5"]) expect(codeOf(await overview(`?days=${days}`))[0], days).toBe(400);
  });
});

describe("Refusals", () => {
  const env = { REFUSAL_FLUSH_MS: "60000" } as unknown as Partial<Env>;
  const refuse = () => call("GET", "/api/auth/me", { env });

  test("are counted in the isolate and stored at most once a minute, in at most four rows", async () => {
    const user = await newUser();
    await refuse();
    await call("GET", "/api/users", { env, token: user.access });
    await refuse();
    const stored = async (metric: string) => (await storedAt(metric, Date.now())) ?? 0;
    expect([await stored("refused_unauthenticated"), await stored("refused_forbidden")]).toEqual([1, 0]);
    vi.setSystemTime(Date.now() + MINUTE);
    await refuse();
    expect([await stored("refused_unauthenticated"), await stored("refused_forbidden")]).toEqual([3, 1]);
    vi.setSystemTime(Date.now() + MINUTE);
    expect((await call("GET", "/api/users/profile", { env, token: user.access })).status).toBe(200);
    await call("GET", "/api/auth/me", { env: { ...env, ISSUER: "" } as Partial<Env> });
    await refuse();
    expect(await stored("refused_unauthenticated")).toBe(4);
    expect(await rows("select metric from daily_counts order by 1")).toEqual([
      { metric: "refused_forbidden" },
      { metric: "refused_unauthenticated" },
    ]);
    const { body } = await overview();
    expect(body.data.series.refused_unauthenticated.at(-1)).toBe(4);
  });

  test("are stored after the clock was set back", async () => {
    await refuse();
    vi.setSystemTime(era - 10 * DAY);
    await refuse();
    expect(await storedAt("refused_unauthenticated", Date.now())).toBe(1);
  });

  test("are not counted where REFUSAL_FLUSH_MS is 0", async () => {
    await call("GET", "/api/auth/me");
    expect(await rows("select 1 from daily_counts")).toEqual([]);
  });

  test("do not fail a response when the database does not store them", async () => {
    vi.setSystemTime(Date.now() + 2 * MINUTE);
    const DB = { prepare: () => ({ bind: () => ({}) }), batch: () => Promise.reject(new Error("down")) };
    const answer = await call("GET", "/api/auth/me", { env: { ...env, DB } as unknown as Partial<Env> });
    expect(answer.status).toBe(401);
  });
});
