import { openCalls } from "../../src/delivery/send-budget.ts";
import { dayEndsAt, dayOf } from "../../src/nepal.ts";
import { query } from "../d1.ts";
import { quote } from "../inline.ts";

const DAY_MS = 24 * 60 * 60_000;
const RANKS = 5;

/** Prints today's SMS usage and the number ranges and networks that requested most codes; never a full phone number. */
export function showBudget(target: { remote: boolean }): void {
  const now = Date.now();
  const [day] = query(`select * from sms_budget_days where day = ${quote(dayOf(now))}`, target) as Record<
    string,
    number
  >[];
  if (!day) {
    console.log(`${dayOf(now)} (Kathmandu): no SMS sent so far.`);
    return;
  }
  const { budget = 0, taken = 0, refused_by_reserve, refused_by_spent } = day;
  const reserve = budget - openCalls(budget);
  console.log(`${dayOf(now)} (Kathmandu): ${taken} of ${budget} SMS calls used
  for any number              ${Math.max(0, openCalls(budget) - taken)} of ${openCalls(budget)} left
  reserved for accounts       ${Math.max(0, Math.min(reserve, budget - taken))} of ${reserve} left
  messages dropped            ${refused_by_reserve} to keep the reserve, ${refused_by_spent} because the budget was used up`);
  const range = "substr(identifier, 1, length(identifier) - 4) || 'xxxx'";
  for (const [title, column] of Object.entries({ "number range": range, network: "network" })) {
    console.log(`Most codes requested, by ${title}`);
    const ranks = query(
      `select ${column} as name, count(*) as codes from otp_challenges
      where created_at >= ${dayEndsAt(now) - DAY_MS} and identifier like '+%' group by 1 order by 2 desc, 1 limit ${RANKS}`,
      target,
    );
    for (const { name, codes } of ranks) console.log(`  ${String(name).padEnd(26)}  ${codes}`);
  }
}
