import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { SignedIn } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { rows, run } from "../support/database.ts";
import { look, newStaff, newUser, submit } from "../support/kyc.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import type { Fault } from "../support/simulator/scheduler.ts";
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
    const found = await notificationsOf(approved, "KYC_APPROVED");
    expect(found).toHaveLength(1);
    expect(JSON.parse(found[0]?.data ?? "")).toEqual({ kyc_id: kyc?.id, status: "APPROVED" });
    const [nepali, ...more] = await notificationsOf(rejected, "KYC_REJECTED");
    expect(more).toEqual([]);
    expect(nepali?.title).toMatch(/[\u0900-\u097f]/);
    expect(JSON.stringify(nepali)).not.toContain("blurred");
    const pushes = "select 1 from recorded_events where user_id = ? and type = 'push.requested'";
    expect(await rows(pushes, approved.userId)).toHaveLength(1);
  });

  it("does not announce a rejection that a new submission has already answered", async () => {
    const [user, staff] = [await newUser(), await newStaff()];
    await submit(user);
    const simulation = new Simulation(1);
    await decideIn(simulation, staff, user, REJECTED);
    await submit(user);
    await simulation.deliver();
    expect(await notificationsOf(user, "KYC_REJECTED")).toEqual([]);
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
      `insert into outbox (urgency, id, type, user_id, payload, queue, created_at, leased_until, attempts)
        select 1, id, type, user_id, payload, queue, created_at, 0, 0 from recorded_events where user_id = ? and type = 'kyc.decided'
        on conflict (urgency, id) do update set leased_until = 0`,
      user.userId,
    );
    await runMinutes(new Simulation(9), 2);
    expect(
      await rows("select 1 from recorded_events where user_id = ? and type = 'kyc.decided'", user.userId),
    ).toHaveLength(1);
    expect(await notificationsOf(user, "KYC_REJECTED")).toHaveLength(1);
    const audited =
      "select 1 from audit_logs where user_id = ? and by_staff = 1 and entity_type = 'kyc' and action = 'UPDATE'";
    expect(await rows(audited, user.userId)).toHaveLength(1);
  });
});
