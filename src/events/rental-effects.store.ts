import { and, eq, type SQL, sql } from "drizzle-orm";
import { OWN_SOURCE, pointTransactions, rentals, userStatistics } from "../db/ledger-schema.ts";
import { referrals } from "../db/user-schema.ts";
import { insertFrom, insertWhere, instantOf, mergeStatements } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import { DAY_MS } from "../platform/time.ts";
import { creditEntries } from "./ledger-effects.store.ts";
import type { EventOf } from "./platform-event.ts";
import { openStatistics } from "./statistics.store.ts";

type EffectDeps = Pick<Deps, "db" | "now" | "newId">;

/** How long after joining a return completes the referral, in milliseconds. */
const REFERRAL_WINDOW_MS = 30 * DAY_MS;
const INVITER_POINTS = 100;
const INVITEE_POINTS = 50;

/** Counts a rental at its first start. If there are several starts, the latest is kept. */
export function recordStart(deps: EffectDeps, event: EventOf<"rental.started">, isFirst: SQL) {
  const { user_id: userId, data } = event;
  const startedAt = instantOf(event.occurred_at);
  const isCounted = sql`exists (select 1 from rentals r where r.user_id = ${userId} and r.rental_id = ${data.rental_id}
    and r.started_at is not null)`;
  return {
    statistics: openStatistics(deps, sql`${userId}`, sql`where ${isFirst}`),
    sums: deps.db
      .update(userStatistics)
      .set({
        totalRentals: sql`${userStatistics.totalRentals} + not ${isCounted}`,
        lastRentalAt: sql`max(coalesce(${userStatistics.lastRentalAt}, 0), ${startedAt})`,
        updatedAt: instantOf(deps.now()),
      })
      .where(and(eq(userStatistics.userId, userId), isFirst)),
    rental: insertWhere(deps, rentals, { userId, rentalId: data.rental_id, startedAt }, isFirst).onConflictDoUpdate({
      target: [rentals.userId, rentals.rentalId],
      set: { startedAt: sql`max(coalesce(${rentals.startedAt}, 0), excluded.started_at)` },
    }),
  };
}

/**
 * Counts a rental as timely or late by its latest return, and completes the user's referral if this return took place
 * within 30 days of joining. If any return is within the window, so is the first one; the order of events therefore
 * does not matter.
 */
export function recordReturn(deps: EffectDeps, event: EventOf<"rental.returned">, isFirst: SQL) {
  const { user_id: userId, data } = event;
  const returnedAt = instantOf(event.occurred_at);
  const returned = sql`rentals r where r.user_id = ${userId} and r.rental_id = ${data.rental_id} and r.returned_at is not null`;
  const isLatest = sql`not exists (select 1 from ${returned}
    and (r.returned_at, r.returned_event_id) >= (${returnedAt}, ${event.id}))`;
  const wasOnTime = sql`(select r.is_on_time from ${returned})`;
  const isOnTime = data.on_time ? sql`1` : sql`0`;
  return mergeStatements(
    {
      statistics: openStatistics(deps, sql`${userId}`, sql`where ${isFirst}`),
      sums: deps.db
        .update(userStatistics)
        .set({
          timelyReturns: sql`${userStatistics.timelyReturns} + ${isOnTime} - coalesce(${wasOnTime}, 0)`,
          lateReturns: sql`${userStatistics.lateReturns} + 1 - ${isOnTime} - coalesce(1 - ${wasOnTime}, 0)`,
          updatedAt: instantOf(deps.now()),
        })
        .where(and(eq(userStatistics.userId, userId), isFirst, isLatest)),
      rental: insertWhere(
        deps,
        rentals,
        {
          userId,
          rentalId: data.rental_id,
          returnedAt,
          returnedEventId: event.id,
          isOnTime: data.on_time,
          amountMinor: data.amount,
        },
        sql`${isFirst} and ${isLatest}`,
      ).onConflictDoUpdate({
        target: [rentals.userId, rentals.rentalId],
        set: {
          returnedAt: sql`excluded.returned_at`,
          returnedEventId: sql`excluded.returned_event_id`,
          isOnTime: sql`excluded.is_on_time`,
          amountMinor: sql`excluded.amount_minor`,
        },
      }),
    },
    completeReferral(deps, userId, returnedAt, isFirst),
  );
}

/** Credits inviter and invitee and completes the referral, if it is pending. */
function completeReferral(deps: EffectDeps, inviteeId: string, returnedAt: SQL, isFirst: SQL) {
  const now = deps.now();
  const [inviterEntry, inviteeEntry] = [deps.newId(), deps.newId()];
  const due = sql`from referrals f join users u on u.id = f.invitee_id
    join users inviter on inviter.id = f.inviter_id where f.invitee_id = ${inviteeId}
    and f.status = 'PENDING' and ${returnedAt} between u.date_joined and u.date_joined + ${REFERRAL_WINDOW_MS} and ${isFirst}`;
  const entry = (id: string, userId: SQL, delta: number) =>
    insertFrom(
      deps,
      pointTransactions,
      { id, userId, source: OWN_SOURCE, delta, reason: "referral", reference: inviteeId, createdAt: now },
      due,
    ).onConflictDoNothing();
  const inviter = sql`from point_transactions t where t.id = ${inviterEntry}`;
  return mergeStatements(
    {
      inviterEntry: entry(inviterEntry, sql`f.inviter_id`, INVITER_POINTS),
      inviteeEntry: entry(inviteeEntry, sql`f.invitee_id`, INVITEE_POINTS),
    },
    creditEntries(deps, [inviterEntry, inviteeEntry]),
    {
      inviterStatistics: openStatistics(deps, sql`t.user_id`, inviter),
      inviterSums: deps.db
        .update(userStatistics)
        .set({ totalReferrals: sql`${userStatistics.totalReferrals} + 1`, updatedAt: instantOf(now) })
        .where(sql`${userStatistics.userId} = (select t.user_id ${inviter})`),
      referral: deps.db
        .update(referrals)
        .set({ status: "COMPLETED", completedAt: now })
        .where(sql`${referrals.inviteeId} in (select f.invitee_id ${due})`),
    },
  );
}
