import { asc, eq, gte, type SQL, sql } from "drizzle-orm";
import { otpLimits } from "../../auth/otp/otp-limits.ts";
import { kyc } from "../../db/kyc-schema.ts";
import { dailyCounts } from "../../db/platform-schema.ts";
import { smsBudgetDays } from "../../db/send-schema.ts";
import { userCounts } from "../../db/user-schema.ts";
import { boundsOf, dayOf } from "../../nepal.ts";
import { literal } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { runStaffBatch } from "../staff-batch.store.ts";
import { figuresOf, pendingKyc } from "./metrics.store.ts";

/** Maximum number of rows counted for one figure of the present; a greater number is shown as this one. */
const MAX_COUNTED = 5_000;
const MAX_LETTERS = 1_000;
const MAX_LOCKS = 1_000;

/**
 * The stored figures of the days since `firstDay`, and those of the present. Today's hours that are not stored yet are
 * counted here, each figure from at most 5,000 rows.
 */
export async function readFigures(
  deps: Pick<Deps, "db" | "now" | "log" | "config">,
  caller: StaffClaims,
  firstDay: string,
) {
  const now = deps.now();
  const today = dayOf(now);
  // The job's cursor is the end of the last hour that it has stored.
  const since = sql`max(${boundsOf(today).first}, cast(coalesce((select cursor from job_cursors where name = 'count_hours'), 0) as integer))`;
  const upTo = (most: number, rows: SQL) =>
    sql<number>`(select count(*) from (select 1 ${rows} limit ${sql.raw(String(most))}))`;
  const locked = (table: string) =>
    upTo(MAX_LOCKS, sql`from ${sql.raw(table)} where locked_until > 0 and locked_until > ${now}`);
  const { hardLockoutAfter, resetAfterMs } = otpLimits.lock;
  // Those whose lock has ended already, so that no class is counted twice.
  const closed = upTo(
    MAX_LOCKS,
    sql`from otp_class_guards where streak >= ${literal(hardLockoutAfter)} and last_guess_at > ${now - resetAfterMs}
      and locked_until <= ${now}`,
  );
  // `created_at >= 0` always holds; it lets the planner search the index.
  const waiting = sql`from dead_letters where replayed_at is null and discarded_at is null and created_at >= 0`;
  const found = await runStaffBatch(deps, caller, ({ isStaff, ifStaff }) => ({
    counts: deps.db
      .select()
      .from(dailyCounts)
      .where(gte(dailyCounts.day, ifStaff(firstDay))),
    sms: deps.db
      .select({ day: smsBudgetDays.day, taken: smsBudgetDays.taken, budget: smsBudgetDays.budget })
      .from(smsBudgetDays)
      .where(gte(smsBudgetDays.day, ifStaff(firstDay))),
    present: deps.db
      .select({
        figures: sql<Record<string, number>>`${figuresOf({ since, until: now + 1 }, MAX_COUNTED)}`
          .mapWith((text) => JSON.parse(String(text)) as Record<string, number>)
          .as("figures"),
        kycPending: pendingKyc.as("kyc_pending"),
        deadLetters: upTo(MAX_LETTERS, waiting).as("dead_letters"),
        locks: sql<number>`${locked("otp_network_guards")} + ${locked("otp_class_guards")} + ${closed}`.as("locks"),
      })
      .from(userCounts)
      .where(isStaff),
    oldest: deps.db
      .select({ submittedAt: kyc.submittedAt })
      .from(kyc)
      .where(eq(kyc.status, ifStaff("PENDING")))
      .orderBy(asc(kyc.submittedAt))
      .limit(1),
  }));
  return { ...found, present: found.present[0] };
}

/** The rows of `readFigures`. */
export type FigureRows = Awaited<ReturnType<typeof readFigures>>;
