import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { call, type SignedIn } from "../support/client.ts";
import { rows, run } from "../support/database.ts";
import { decide, look, newStaff, newUser, submit } from "../support/kyc.ts";
import type { Fault } from "../support/simulator/scheduler.ts";
import { Simulation } from "../support/simulator/simulation.ts";

const DAY_MS = 86_400_000;

/** Each test uses its own month, so that no users of another are due. */
let today = Date.UTC(2061, 0, 1, 4, 30);

beforeEach(async () => {
  today += 40 * DAY_MS;
  // Events that earlier tests left in the outbox would be sent first.
  await run("update outbox set sent_at = created_at where sent_at is null");
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: today });
});
afterEach(() => vi.useRealTimers());

const notes = ({ userId }: Pick<SignedIn, "userId">, kind: string) =>
  rows<{ title: string; message: string; data: string }>(
    "select title, message, data from notifications where user_id = ? and notification_type = ?",
    userId,
    kind,
  );

async function runMinutes(simulation: Simulation, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    await simulation.tick();
    await simulation.deliver();
    vi.setSystemTime(Date.now() + 61_000);
  }
}

/** Decides in the simulation, whose queue holds the event until the test delivers it. */
async function decideIn(simulation: Simulation, reviewer: SignedIn, { userId }: SignedIn, json: object) {
  const answer = await simulation.call("PATCH", `/api/users/${userId}/kyc`, { token: reviewer.access, json });
  expect(answer).toMatchObject({ status: 200 });
}

const REJECTED = { status: "REJECTED", rejection_reason: "blurred" };

describe("notify_kyc_status", () => {
  it("notifies the user once of the decision, in their language and without the reason on the lock screen", async () => {
    const [approved, rejected, staff] = [await newUser(), await newUser(), await newStaff()];
    await run("update users set locale = 'ne' where id = ?", rejected.userId);
    await submit(approved);
    await submit(rejected);
    await look(staff, approved);
    const simulation = new Simulation(1);
    await decideIn(simulation, staff, approved, { status: "APPROVED" });
    await decideIn(simulation, staff, rejected, REJECTED);
    await simulation.deliver(3);
    const [kyc] = await rows<{ id: string }>("select id from kyc where user_id = ?", approved.userId);
    const found = await notes(approved, "KYC_APPROVED");
    expect(found).toHaveLength(1);
    expect(JSON.parse(found[0]?.data ?? "")).toEqual({ kyc_id: kyc?.id, status: "APPROVED" });
    const [nepali, ...more] = await notes(rejected, "KYC_REJECTED");
    expect(more).toEqual([]);
    expect(nepali?.title).toMatch(/[\u0900-\u097f]/);
    expect(JSON.stringify(nepali)).not.toContain("blurred");
    const pushes = "select 1 from outbox where user_id = ? and type = 'push.requested'";
    expect(await rows(pushes, approved.userId)).toHaveLength(1);
  });

  it("does not announce a rejection that a new submission has already answered", async () => {
    const [user, staff] = [await newUser(), await newStaff()];
    await submit(user);
    const simulation = new Simulation(1);
    await decideIn(simulation, staff, user, REJECTED);
    await submit(user);
    await simulation.deliver();
    expect(await notes(user, "KYC_REJECTED")).toEqual([]);
  });

  it("notifies once even if the invocations of the decision and of the consumer die", async () => {
    const [user, staff] = [await newUser(), await newStaff()];
    await submit(user);
    const kinds: Fault[] = ["die-before", "die-after", "throw-before", "throw-after"];
    const path = `/api/users/${user.userId}/kyc`;
    for (let seed = 1; seed <= 6; seed++) {
      const simulation = new Simulation(seed);
      const { random } = simulation.scheduler;
      const faults = () => (random() < 0.3 ? kinds[Math.floor(random() * kinds.length)] : undefined);
      await simulation.call("PATCH", path, { token: staff.access, json: REJECTED }, { faults });
      await simulation.deliver(2, { faults });
      vi.setSystemTime(Date.now() + 61_000);
    }
    await run(
      "update outbox set sent_at = null, leased_until = 0 where user_id = ? and type = 'kyc.decided'",
      user.userId,
    );
    await runMinutes(new Simulation(9), 2);
    expect(await rows("select 1 from outbox where user_id = ? and type = 'kyc.decided'", user.userId)).toHaveLength(1);
    expect(await notes(user, "KYC_REJECTED")).toHaveLength(1);
    const audited = "select 1 from audit_logs where user_id = ? and by_staff = 1 and entity_type = 'kyc'";
    expect(await rows(audited, user.userId)).toHaveLength(1);
  });
});

describe("send_kyc_verification_reminder", () => {
  /** Gets a new access token after days have passed. */
  async function renew(user: SignedIn): Promise<void> {
    const { body } = await call("POST", "/api/auth/refresh", { json: { refresh_token: user.refresh } });
    [user.access, user.refresh] = [body.access, body.refresh];
  }

  const remindersPerDay = async (user: SignedIn, days: number, on: (day: number) => Promise<void> = async () => {}) => {
    const seen: number[] = [];
    const begin = Date.now();
    for (let day = 0; day <= days; day++) {
      vi.setSystemTime(begin + day * DAY_MS);
      await on(day);
      await runMinutes(new Simulation(day), 2);
      seen.push((await notes(user, "KYC_REMINDER")).length);
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
    expect(await notes(verified, "KYC_REMINDER")).toEqual([]);
    expect(await notes(asleep, "KYC_REMINDER")).toEqual([]);
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
      await rows("select 1 from outbox where user_id = ? and type = 'kyc.reminder_due'", user.userId),
    ).toHaveLength(1);
    await submit(user);
    vi.setSystemTime(Date.now() + 61_000);
    await runMinutes(simulation, 2);
    expect(await notes(user, "KYC_REMINDER")).toEqual([]);
  });
});
