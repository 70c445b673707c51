import { desc, eq, sql } from "drizzle-orm";
import { firstCidAt } from "../../auth/otp/cid.ts";
import { providerBreakers } from "../../db/platform-schema.ts";
import { emailBudgetDays, smsBudgetDays } from "../../db/send-schema.ts";
import { otpChallenges } from "../../db/sign-in-schema.ts";
import { dayOf } from "../../nepal.ts";
import type { Deps } from "../../platform/deps.ts";
import { HOUR_MS } from "../../platform/time.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { runStaffBatch } from "../staff-batch.store.ts";

/** Maximum number of the hour's newest codes that are read; figures of a busier hour are of these. */
const MAX_CODES = 5_000;
/** Digits of a number that its range hides. */
const HIDDEN_DIGITS = 4;

/** The codes of the last hour, the breakers of the providers and the budgets of today. */
export async function readDelivery(deps: Pick<Deps, "db" | "now" | "log" | "config">, caller: StaffClaims) {
  const now = deps.now();
  const range = sql<string | null>`case when identifier like '+%'
    then substr(identifier, 1, length(identifier) - ${sql.raw(String(HIDDEN_DIGITS))}) end`;
  return runStaffBatch(deps, caller, ({ isStaff, ifStaff }) => ({
    codes: deps.db
      .select({
        range: range.as("number_range"),
        network: otpChallenges.network,
        createdAt: otpChallenges.createdAt,
        deliveredAt: otpChallenges.deliveredAt,
        undeliverableAt: otpChallenges.undeliverableAt,
      })
      .from(otpChallenges)
      .where(sql`cid >= ${ifStaff(firstCidAt(now - HOUR_MS))}`)
      .orderBy(desc(otpChallenges.cid))
      .limit(MAX_CODES),
    providers: deps.db
      .select({
        provider: providerBreakers.provider,
        failures: providerBreakers.failures,
        openedUntil: providerBreakers.openedUntil,
      })
      .from(providerBreakers)
      .where(isStaff),
    sms: deps.db
      .select()
      .from(smsBudgetDays)
      .where(eq(smsBudgetDays.day, ifStaff(dayOf(now)))),
    email: deps.db
      .select()
      .from(emailBudgetDays)
      .where(eq(emailBudgetDays.day, ifStaff(dayOf(now)))),
  }));
}

/** The rows of `readDelivery`. */
export type DeliveryRows = Awaited<ReturnType<typeof readDelivery>>;
