import { eq, type SQL, sql } from "drizzle-orm";
import { smsBudgetDays } from "../db/sms-schema.ts";
import { raiseAlert } from "../platform/alerts.ts";
import { inOneTrip } from "../platform/database.ts";
import type { Deps } from "../platform/deps.ts";
import { dayOf } from "../platform/kathmandu.ts";
import { openCalls } from "./sms-budget.ts";

type BudgetDeps = Pick<Deps, "config" | "db" | "now" | "newId" | "log">;

/** `reserved`: what is left is kept for others. `spent`: nothing is left. */
export type BudgetShare = "taken" | "reserved" | "spent";

/**
 * Takes one call of an SMS provider from the day's budget, before the call is made; nothing is ever given back. One
 * statement decides and counts, the same whether or not the number belongs to an account. The calls that enter the
 * reserve and spend the budget say so in the log, once each.
 *
 * @param to E.164.
 * @throws AppError `service_unavailable` when nobody knows whether it was counted: no call may be made then.
 */
export async function takeSmsCall(deps: BudgetDeps, to: string): Promise<BudgetShare> {
  const day = dayOf(deps.now());
  const budget = deps.config.smsDailyBudget;
  // Of this call alone: one invocation may take several.
  const marker = deps.newId();
  const { taken, takenBy, refusedByReserve, refusedBySpent } = smsBudgetDays;
  const share = sql`case when exists (select 1 from users where users.phone_number = ${to})
    then ${budget} else ${openCalls(budget)} end`;
  const fits = sql`(${taken} < ${share})`;
  const { counted } = await inOneTrip(deps, {
    opened: deps.db
      .insert(smsBudgetDays)
      .values({ day, budget, taken: 0, refusedByReserve: 0, refusedBySpent: 0 })
      .onConflictDoNothing(),
    counted: deps.db
      .update(smsBudgetDays)
      .set({
        budget,
        taken: sql`${taken} + ${fits}`,
        takenBy: sql`case when ${fits} then ${marker} else ${takenBy} end`,
        refusedByReserve: sql`${refusedByReserve} + (not ${fits} and ${taken} < ${budget})`,
        refusedBySpent: sql`${refusedBySpent} + (not ${fits} and ${taken} >= ${budget})`,
      })
      .where(eq(smsBudgetDays.day, day))
      .returning({ taken, takenBy }),
  });
  const [row] = counted;
  if (!row) throw new Error("the day has no row");
  if (row.takenBy !== marker) return row.taken >= budget ? "spent" : "reserved";
  if (row.taken === openCalls(budget)) raiseAlert(deps, "sms_reserve_entered", { day, taken: row.taken, budget });
  if (row.taken >= budget) raiseAlert(deps, "sms_budget_spent", { day, taken: row.taken, budget });
  return "taken";
}

/** Holds where the day's budget is spent, whoever asks. */
export function isSmsBudgetSpent(deps: Pick<Deps, "config" | "now">): SQL {
  return sql`exists (select 1 from sms_budget_days where day = ${dayOf(deps.now())}
    and taken >= ${deps.config.smsDailyBudget})`;
}

/** Calls taken from the day's budget so far. */
export async function countSmsCalls(deps: Pick<Deps, "db" | "now" | "log">): Promise<number> {
  const { days } = await inOneTrip(deps, {
    days: deps.db
      .select({ taken: smsBudgetDays.taken })
      .from(smsBudgetDays)
      .where(eq(smsBudgetDays.day, dayOf(deps.now()))),
  });
  return days[0]?.taken ?? 0;
}
