import { dayOf } from "../../src/nepal.ts";
import { newPhone, testEnv } from "./client.ts";
import { requestAndKeep, type Sent } from "./queue.ts";

const today = () => dayOf(Date.now());

/** Reads the day's counters. */
export async function readBudget() {
  const row = await testEnv.DB.prepare("select * from sms_budget_days where day = ?").bind(today()).first();
  const { taken = 0, refused_by_reserve: reserved = 0, refused_by_spent: spent = 0 } = row ?? {};
  return { taken, reserved, spent } as { taken: number; reserved: number; spent: number };
}

/** Resets the hour's calls to numbers without an account. */
export async function forgetHour(): Promise<void> {
  await testEnv.DB.prepare("delete from sms_send_limits where scope = 'open_hour'").run();
}

/** Sets the day's counters as if `taken` calls had been made, none of them in this hour. */
export async function setTaken(taken: number): Promise<void> {
  await forgetHour();
  await testEnv.DB.prepare("insert or replace into sms_budget_days values (?, 0, ?, null, 0, 0)")
    .bind(today(), taken)
    .run();
}

/** Requests codes and returns their messages, all to the given number or each to another. */
export async function smsMessages(count: number, to?: string): Promise<Sent[]> {
  const model = await requestAndKeep(newPhone());
  return Array.from({ length: count }, () => ({
    ...model,
    event_id: crypto.randomUUID(),
    payload: JSON.stringify({ ...JSON.parse(model.payload), to: to ?? newPhone() }),
  }));
}
