import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { call, type SignedIn } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { rows, run } from "../support/database.ts";
import { finishOtherJobs } from "../support/jobs.ts";
import { decide, look, newStaff, newUser, submit } from "../support/kyc.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { notificationsOf, runMinutes } from "../support/tasks.ts";

beforeAll(keepSentEvents);

const DAY_MS = 86_400_000;

/** Each test uses its own month, so that no users of another are due. */
let today = Date.UTC(2061, 0, 1, 4, 30);

beforeEach(async () => {
  today += 40 * DAY_MS;
  // Events that earlier tests left in the outbox would be sent first.
  await run("delete from outbox");
  stopClock({ at: today, timers: true });
});
afterEach(() => vi.useRealTimers());

const REJECTED = { status: "REJECTED", rejection_reason: "blurred" };

describe("send_kyc_verification_reminder", () => {
  /** Gets a new access token after days have passed. */
  async function renew(user: SignedIn): Promise<void> {
    const { body } = await call("POST", "/api/auth/refresh", { json: { refresh_token: user.refresh } });
    [user.access, user.refresh] = [body.access, body.refresh];
  }

  const remindersPerDay = async (user: SignedIn, days: number, on: (day: number) => Promise<void> = async () => {}) => {
    const seen: number[] = [];
    const begin = Date.now();
    await finishOtherJobs("remind_unverified_people", days);
    for (let day = 0; day <= days; day++) {
      vi.setSystemTime(begin + day * DAY_MS);
      await on(day);
      await runMinutes(new Simulation(day), 2);
      seen.push((await notificationsOf(user, "KYC_REMINDER")).length);
    }
    return seen;
  };

  it("reminds on the third and tenth day after joining, and never again", async () => {
    const user = await newUser();
    await run("update users set date_joined = date_joined - 1000 where id = ?", user.userId);
    expect(await remindersPerDay(user, 15)).toEqual([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
  });

  it("does not remind users who are verified, in review or inactive", async () => {
    const [waiting, verified, asleep, staff] = [await newUser(), await newUser(), await newUser(), await newStaff()];
    await submit(waiting);
    await submit(verified);
    await look(staff, verified);
    await decide(staff, verified, { status: "APPROVED" });
    await run("update users set status = 'INACTIVE', status_reason = 'staff' where id = ?", asleep.userId);
    expect((await remindersPerDay(waiting, 11)).at(-1)).toBe(0);
    expect(await notificationsOf(verified, "KYC_REMINDER")).toEqual([]);
    expect(await notificationsOf(asleep, "KYC_REMINDER")).toEqual([]);
  });

  it("reminds once a day after each rejection without a new submission", async () => {
    const [user, staff] = [await newUser(), await newStaff()];
    // Joined long ago, so only the rejection counts.
    await run("update users set date_joined = 0 where id = ?", user.userId);
    await run("update users set last_login = ? where id = ?", Date.now(), user.userId);
    const seen = await remindersPerDay(user, 9, async (day) => {
      if (day !== 1 && day !== 5) return;
      await renew(user);
      await renew(staff);
      await run(
        "update sessions set absolute_expires_at = ?1, idle_expires_at = ?1 where user_id in (?2, ?3)",
        Date.now() + 30 * DAY_MS,
        user.userId,
        staff.userId,
      );
      await submit(user);
      await decide(staff, user, REJECTED);
    });
    expect(seen).toEqual([0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
  });

  it("does not remind users who submit before the message arrives", async () => {
    const user = await newUser();
    await run("update users set date_joined = date_joined - ? where id = ?", 4 * DAY_MS, user.userId);
    const simulation = new Simulation(1);
    await simulation.tick();
    await simulation.deliver();
    expect(
      await rows("select 1 from recorded_events where user_id = ? and type = 'kyc.reminder_due'", user.userId),
    ).toHaveLength(1);
    await submit(user);
    vi.setSystemTime(Date.now() + 61_000);
    await runMinutes(simulation, 2);
    expect(await notificationsOf(user, "KYC_REMINDER")).toEqual([]);
  });
});
