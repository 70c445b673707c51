import { eq, type SQL, sql } from "drizzle-orm";
import { emailBudgetDays, smsBudgetDays, smsSendLimits } from "../db/send-schema.ts";
import { dayOf } from "../nepal.ts";
import { raiseAlert } from "../platform/alerts.ts";
import { instantOf, type Results, runBatch } from "../platform/data/database.ts";
import type { Value } from "../platform/data/prepared.ts";
import type { Deps } from "../platform/deps.ts";
import type { LogFields } from "../platform/log.ts";
import { HOUR_MS } from "../platform/time.ts";
import { type BudgetChannel, openCalls, openCallsPerHour } from "./send-budget.ts";
import { countInWindows } from "./send-window.store.ts";

type LogDeps = Pick<Deps, "log">;
type BudgetDeps = Pick<Deps, "config" | "db" | "now" | "log">;

/**
 * `taken`: the call may be made. `reserved`: what is left of the day's budget is for recipients with an account.
 * `spent`: the day's budget is spent. `hour`: the hour's calls to recipients without an account are spent.
 */
export type BudgetDecision = "taken" | "reserved" | "spent" | "hour";

const channels = {
  sms: {
    days: smsBudgetDays,
    owner: sql.raw("users.phone_number"),
    budgetOf: ({ config }: Pick<Deps, "config">) => config.smsDailyBudget,
    openHour: openCallsPerHour,
    alertOfReserve: (deps: LogDeps, fields: LogFields) => raiseAlert(deps, "sms_reserve_entered", fields),
    alertOfEnd: (deps: LogDeps, fields: LogFields) => raiseAlert(deps, "sms_budget_spent", fields),
  },
  email: {
    days: emailBudgetDays,
    owner: sql.raw("users.email"),
    budgetOf: ({ config }: Pick<Deps, "config">) => config.emailDailyBudget,
    openHour: undefined,
    alertOfReserve: (deps: LogDeps, fields: LogFields) => raiseAlert(deps, "email_reserve_entered", fields),
    alertOfEnd: (deps: LogDeps, fields: LogFields) => raiseAlert(deps, "email_budget_spent", fields),
  },
} as const;

/**
 * Statements that take one provider call from the channel's daily budget if `condition` holds; run them in the batch
 * that decides on the call, before the call is made. Calls are never given back. The statements are the same whether or
 * not the recipient has an account.
 *
 * A code by SMS to a number without an account also counts towards the hour's open calls, in a window that starts with
 * its first such call. A message without a code counts as one to an account, which may just have lost the number.
 * `decide` raises one alert each when the hour's open calls are spent, the reserve is entered and the day's budget is
 * spent.
 *
 * @param recipient `to`: E.164 number or e-mail address in canonical form.
 * @param marker identifies this call.
 * @returns `isTaken` holds in later statements of the batch if the call was taken; `decide` returns undefined if
 *   `condition` did not hold.
 */
export function takeCall(
  deps: BudgetDeps,
  channel: BudgetChannel,
  { to, hasCode }: { to: string; hasCode: boolean },
  marker: string,
  condition: SQL,
) {
  const { days, owner, budgetOf, openHour, alertOfReserve, alertOfEnd } = channels[channel];
  const now = deps.now();
  const day = dayOf(now);
  const budget = budgetOf(deps);
  const open = openCalls(budget);
  const hourly = hasCode ? openHour?.(budget) : undefined;
  const { taken, takenBy, refusedByReserve, refusedBySpent } = days;
  const hasAccount = hasCode ? sql`exists (select 1 from users where ${owner} = ${to})` : sql`1`;
  const hourIsFull =
    hourly === undefined
      ? sql`0`
      : sql`exists (select 1 from sms_send_limits where scope = 'open_hour' and key = ${channel}
          and window_ends_at > ${now} and sends >= ${hourly})`;
  const fits = sql`(case when ${hasAccount} then ${taken} < ${budget}
    when ${taken} < ${open} then not ${hourIsFull} else 0 end)`;
  const isTaken = sql`exists (select 1 from ${days} where ${eq(days.day, day)} and ${eq(takenBy, marker)})`;
  const statements = {
    opened: deps.db
      .insert(days)
      .values({ day, budget, taken: 0, refusedByReserve: 0, refusedBySpent: 0 })
      .onConflictDoNothing(),
    counted: deps.db
      .update(days)
      .set({
        budget,
        taken: sql`${taken} + ${fits}`,
        takenBy: sql`case when ${fits} then ${marker} else ${takenBy} end`,
        refusedByReserve: sql`${refusedByReserve} + (not ${fits} and ${taken} < ${budget})`,
        refusedBySpent: sql`${refusedBySpent} + (not ${fits} and ${taken} >= ${budget})`,
      })
      .where(sql`${eq(days.day, day)} and ${condition}`)
      .returning({ taken, takenBy }),
    hour:
      hourly === undefined
        ? undefined
        : countInWindows(
            deps,
            { scope: sql`'open_hour'`, key: sql`${channel}`, windowEndsAt: instantOf(now + HOUR_MS) },
            sql`where ${condition} and ${isTaken} and not ${hasAccount}`,
          ).returning({ sends: smsSendLimits.sends }),
  };
  type Counts = Results<Pick<typeof statements, "counted" | "hour">>;
  const decide = ({ counted, hour }: { [K in keyof Counts]?: Counts[K] | undefined }): BudgetDecision | undefined => {
    const row = counted?.[0];
    if (!row) return undefined;
    if (row.takenBy !== marker) return row.taken >= budget ? "spent" : row.taken >= open ? "reserved" : "hour";
    if (hour?.[0]?.sends === hourly && hourly !== undefined) raiseAlert(deps, "sms_hour_spent", { day, calls: hourly });
    const spent = { day, taken: row.taken, budget };
    if (row.taken === open) alertOfReserve(deps, spent);
    if (row.taken >= budget) alertOfEnd(deps, spent);
    return "taken";
  };
  return { statements, isTaken, decide };
}

/** The day in Nepal and the channel's budget, for `isBudgetSpent`. */
export function budgetOfDay(deps: Pick<Deps, "config" | "now">, channel: BudgetChannel) {
  return { day: dayOf(deps.now()), budget: channels[channel].budgetOf(deps) };
}

/** The channel's daily budget is spent, for every recipient. @param today as `budgetOfDay` returns it. */
export function isBudgetSpent(channel: BudgetChannel, today: { day: Value<string>; budget: Value<number> }): SQL {
  const { days } = channels[channel];
  return sql`exists (select 1 from ${days} where ${eq(days.day, today.day)} and ${days.taken} >= ${today.budget})`;
}

/** Returns the number of calls taken from the channel's budget today. */
export async function countCalls(deps: Pick<Deps, "db" | "now" | "log">, channel: BudgetChannel): Promise<number> {
  const { days } = channels[channel];
  const { found } = await runBatch(deps, {
    found: deps.db
      .select({ taken: days.taken })
      .from(days)
      .where(eq(days.day, dayOf(deps.now()))),
  });
  return found[0]?.taken ?? 0;
}
