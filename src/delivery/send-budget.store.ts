import { eq, type SQL, sql } from "drizzle-orm";
import { emailBudgetDays, smsBudgetDays, smsSendLimits } from "../db/send-schema.ts";
import { raiseAlert } from "../platform/alerts.ts";
import { instantOf, runBatch } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import { dayOf } from "../platform/kathmandu.ts";
import type { LogFields } from "../platform/log.ts";
import { type BudgetChannel, openCalls, openCallsPerHour } from "./send-budget.ts";
import { countInWindows } from "./send-window.store.ts";

type LogDeps = Pick<Deps, "log">;
type BudgetDeps = Pick<Deps, "config" | "db" | "now" | "newId" | "log">;

/**
 * `reserved`: what is left of the day is kept for accounts. `spent`: nothing is left. `hour`: the hour's open part is
 * spent.
 */
export type BudgetShare = "taken" | "reserved" | "spent" | "hour";

const HOUR_MS = 60 * 60 * 1000;

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
 * Takes one call of a provider from the channel's budget of the day, before the call is made; nothing is ever given
 * back. One batch decides and counts, by the same statements whether or not the recipient belongs to an account.
 *
 * An SMS to a number without an account also counts towards the hour's open part, in an hour that begins with its first
 * such call. The calls that spend the hour's open part, enter the reserve and spend the day raise one alert each.
 *
 * @param to E.164 number or e-mail address, canonical.
 * @throws AppError `service_unavailable` when nobody knows whether the call was counted: it must not be made then.
 */
export async function takeCall(deps: BudgetDeps, channel: BudgetChannel, to: string): Promise<BudgetShare> {
  const { days, owner, budgetOf, openHour, alertOfReserve, alertOfEnd } = channels[channel];
  const now = deps.now();
  const day = dayOf(now);
  const budget = budgetOf(deps);
  const open = openCalls(budget);
  const hourly = openHour?.(budget);
  // Of this call alone: one invocation may take several.
  const marker = deps.newId();
  const { taken, takenBy, refusedByReserve, refusedBySpent } = days;
  const isAccounts = sql`exists (select 1 from users where ${owner} = ${to})`;
  const hourIsFull =
    hourly === undefined
      ? sql`0`
      : sql`exists (select 1 from sms_send_limits where scope = 'open_hour' and key = ${channel}
          and window_ends_at > ${now} and sends >= ${hourly})`;
  const fits = sql`(case when ${isAccounts} then ${taken} < ${budget}
    when ${taken} < ${open} then not ${hourIsFull} else 0 end)`;
  const { counted, hour } = await runBatch(deps, {
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
      .where(eq(days.day, day))
      .returning({ taken, takenBy }),
    hour:
      hourly === undefined
        ? undefined
        : countInWindows(
            deps,
            { scope: sql`'open_hour'`, key: sql`${channel}`, windowEndsAt: instantOf(now + HOUR_MS) },
            sql`where exists (select 1 from ${days} where ${eq(days.day, day)} and ${eq(takenBy, marker)})
              and not ${isAccounts}`,
          ).returning({ sends: smsSendLimits.sends }),
  });
  const [row] = counted;
  if (!row) throw new Error("the day has no row");
  if (row.takenBy !== marker) return row.taken >= budget ? "spent" : row.taken >= open ? "reserved" : "hour";
  if (hour?.[0]?.sends === hourly && hourly !== undefined) raiseAlert(deps, "sms_hour_spent", { day, calls: hourly });
  const spent = { day, taken: row.taken, budget };
  if (row.taken === open) alertOfReserve(deps, spent);
  if (row.taken >= budget) alertOfEnd(deps, spent);
  return "taken";
}

/** Holds where the channel's budget of the day is spent, whoever asks. */
export function isBudgetSpent(deps: Pick<Deps, "config" | "now">, channel: BudgetChannel): SQL {
  const { days, budgetOf } = channels[channel];
  return sql`exists (select 1 from ${days} where ${eq(days.day, dayOf(deps.now()))} and ${days.taken} >= ${budgetOf(deps)})`;
}

/** Calls taken from the channel's budget of the day so far. */
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
