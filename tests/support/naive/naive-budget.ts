import { dayOf } from "../../../src/nepal.ts";
import { SPARROW } from "../internet.ts";
import type { QueueHandler } from "../simulator/simulation.ts";

/** A typical naive budget: read the counter, decide, write it, call the provider. */
export const naiveBudget: QueueHandler = async (batch, env) => {
  const day = dayOf(Date.now());
  const taken = await env.DB.prepare("select taken from sms_budget_days where day = ?").bind(day).first("taken");
  if (Number(taken) >= Number(env.SMS_DAILY_BUDGET)) return batch.ackAll();
  await env.DB.prepare("insert or replace into sms_budget_days values (?, 0, ?, null, 0, 0)")
    .bind(day, Number(taken) + 1)
    .run();
  await fetch(`${SPARROW}/v2/sms/`, { method: "POST" });
  batch.ackAll();
};
