import { dayOf } from "../../src/platform/kathmandu.ts";
import { newPhone, testEnv } from "./client.ts";
import { requestAndKeep, type Sent } from "./queue.ts";

const today = () => dayOf(Date.now());

/** The day's counters as they stand. */
export async function readBudget() {
  const row = await testEnv.DB.prepare("select * from sms_budget_days where day = ?").bind(today()).first();
  const { taken = 0, refused_by_reserve: reserved = 0, refused_by_spent: spent = 0 } = row ?? {};
  return { taken, reserved, spent } as { taken: number; reserved: number; spent: number };
}

/** As if no number without an account had caused a call in this hour. */
export async function forgetHour(): Promise<void> {
  await testEnv.DB.prepare("delete from sms_send_limits where scope = 'open_hour'").run();
}

/** Sets the day's counters as if so many calls had been made, none of them in this hour. */
export async function setTaken(taken: number): Promise<void> {
  await forgetHour();
  await testEnv.DB.prepare("insert or replace into sms_budget_days values (?, 0, ?, null, 0, 0)")
    .bind(today(), taken)
    .run();
}

/** Messages of their own with a code, to the number given or each to another one. */
export async function smsMessages(count: number, to?: string): Promise<Sent[]> {
  const model = await requestAndKeep(newPhone());
  return Array.from({ length: count }, () => ({
    ...model,
    event_id: crypto.randomUUID(),
    payload: JSON.stringify({ ...JSON.parse(model.payload), to: to ?? newPhone() }),
  }));
}
