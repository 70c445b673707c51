import { desc, eq, sql } from "drizzle-orm";
import { MAX_DEVICES } from "../../auth/device/device.store.ts";
import { firstCidAt } from "../../auth/otp/cid.ts";
import { otpLimits } from "../../auth/otp/otp-limits.ts";
import { otpChallenges, otpClassGuards, otpNetworkGuards } from "../../db/sign-in-schema.ts";
import { devices, notifications } from "../../db/user-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import { DAY_MS } from "../../platform/time.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { isLive } from "../../sessions/session.store.ts";
import { runStaffBatch } from "../staff-batch.store.ts";
import { selectId } from "../users/user-detail.store.ts";

/** How far back codes are listed, in milliseconds. */
const CODES_WINDOW_MS = DAY_MS;
/** Above the number of codes that the send limits allow for two identifiers per day. */
const MAX_CODES = 100;
/** Maximum number of networks listed: those locked for the longest, then those that failed last. */
const MAX_NETWORKS = 50;
/** Maximum number of networks read. Only an attack from more networks than that could hide one of them. */
const MAX_READ_NETWORKS = 500;
const MAX_NOTIFICATIONS = 20;

/**
 * The user's identifiers as `(field, identifier)`, named `own`. Join with CROSS JOIN, which SQLite does not reorder, so
 * that this side is read first.
 */
const identifiersOf = (userId: unknown) =>
  sql`(select json_each.key as field, json_each.value as identifier from users,
    json_each(json_object('email', users.email, 'phone_number', users.phone_number))
    where users.id = ${userId} and json_each.value is not null) own`;

type Field = "email" | "phone_number";

/**
 * Reads the user's sign-in locks, and the codes, devices and notifications, newest first; undefined if there is no such
 * user.
 *
 * @throws AppError as `runStaffBatch`.
 */
export async function readAccess(
  deps: Pick<Deps, "db" | "now" | "log" | "config">,
  caller: StaffClaims,
  userId: string,
) {
  const now = deps.now();
  const { hardLockoutAfter, resetAfterMs, perNetwork, perClass } = otpLimits.lock;
  const isRecent = sql`last_guess_at > ${now - resetAfterMs}`;
  const field = sql<Field>`own.field`.as("field");
  // The list is pruned by the next failure only.
  const failuresWithin = (windowMs: number) =>
    sql<number>`(select count(*) from json_each(guard.failures) where value > ${now - windowMs})`.as("failures");
  const found = await runStaffBatch(deps, caller, ({ ifStaff }) => ({
    user: selectId(deps, userId),
    networkLocks: deps.db
      .select({
        field,
        network: sql<string>`guard.network`.as("network"),
        failures: failuresWithin(perNetwork.windowMs),
        lockedUntil: sql<number>`guard.locked_until`.as("locked_until"),
        lastGuessAt: sql<number>`guard.last_guess_at`.as("last_guess_at"),
      })
      .from(
        sql`${identifiersOf(ifStaff(userId))} cross join ${otpNetworkGuards} guard on guard.identifier = own.identifier`,
      )
      .where(isRecent)
      .limit(MAX_READ_NETWORKS),
    classLocks: deps.db
      .select({
        field,
        networkClass: sql<"familiar" | "other">`guard.network_class`.as("network_class"),
        failures: failuresWithin(perClass.windowMs),
        lockedUntil: sql<number>`guard.locked_until`.as("locked_until"),
        closedUntil:
          sql<number>`case when guard.streak >= ${hardLockoutAfter} then guard.last_guess_at + ${resetAfterMs}
          else 0 end`.as("closed_until"),
      })
      .from(
        sql`${identifiersOf(ifStaff(userId))} cross join ${otpClassGuards} guard on guard.identifier = own.identifier`,
      )
      .where(isRecent),
    codes: deps.db
      .select({
        field,
        createdAt: sql<number>`code.created_at`.as("created_at"),
        networkClass: sql<"familiar" | "other">`code.network_class`.as("network_class"),
        // From its verification on, the counters count something else.
        attempts: sql<
          number | null
        >`case when code.consumed_network is null then code.attempts_familiar + code.attempts_other end`.as("attempts"),
        deliveredAt: sql<number | null>`code.delivered_at`.as("delivered_at"),
        undeliverableAt: sql<number | null>`code.undeliverable_at`.as("undeliverable_at"),
        verifiedAt: sql<number | null>`case when code.consumed_network is not null then code.consumed_at end`.as(
          "verified_at",
        ),
      })
      .from(
        sql`${identifiersOf(ifStaff(userId))} cross join ${otpChallenges} code on code.identifier = own.identifier
          and code.cid >= ${firstCidAt(now - CODES_WINDOW_MS)}`,
      )
      .limit(MAX_CODES),
    devices: deps.db
      .select({
        id: devices.id,
        deviceType: devices.deviceType,
        deviceName: devices.deviceName,
        appVersion: devices.appVersion,
        osVersion: devices.osVersion,
        canPush: sql<number>`fcm_token is not null and is_active and exists (select 1 from sessions
          where sessions.user_id = devices.user_id and sessions.id = devices.session_id and ${isLive(now)})`.as(
          "can_push",
        ),
        lastUsedAt: devices.lastUsedAt,
      })
      .from(devices)
      .where(eq(devices.userId, ifStaff(userId)))
      .limit(MAX_DEVICES),
    notifications: deps.db
      .select({
        id: notifications.id,
        title: notifications.title,
        message: notifications.message,
        notificationType: notifications.notificationType,
        data: notifications.data,
        isRead: sql<number>`read_at is not null or coalesce(id <= (select notifications_read_through from users
          where users.id = notifications.user_id), 0)`.as("is_read"),
        createdAt: notifications.createdAt,
      })
      .from(notifications)
      .where(eq(notifications.userId, ifStaff(userId)))
      .orderBy(desc(notifications.id))
      .limit(MAX_NOTIFICATIONS),
  }));
  if (found.user.length === 0) return undefined;
  // Sorted in memory, because no index has these orders.
  return {
    ...found,
    networkLocks: found.networkLocks
      .sort((a, b) => b.lockedUntil - a.lockedUntil || b.lastGuessAt - a.lastGuessAt)
      .slice(0, MAX_NETWORKS),
    codes: found.codes.sort((a, b) => b.createdAt - a.createdAt),
    devices: found.devices.sort((a, b) => b.lastUsedAt - a.lastUsedAt),
  };
}

export type AccessRows = NonNullable<Awaited<ReturnType<typeof readAccess>>>;
