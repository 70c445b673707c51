import { desc, eq, sql } from "drizzle-orm";
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

/** Codes of this time are listed, in milliseconds. */
const CODES_SINCE_MS = DAY_MS;
/** More than the limits of sending allow in a day for two identifiers. */
const MAX_CODES = 100;
/** Maximum number of networks whose failures are listed for one identifier. */
const MAX_NETWORKS = 50;
const MAX_DEVICES = 20;
/** Maximum number of devices among which the last used ones are looked for. */
const MAX_READ_DEVICES = 100;
const MAX_NOTIFICATIONS = 20;

/** The identifiers of the user, each with the name of its field: a FROM clause for a CROSS JOIN, which keeps its order. */
const identifiersOf = (userId: unknown) =>
  sql`(select json_each.key as field, json_each.value as identifier from users,
    json_each(json_object('email', users.email, 'phone_number', users.phone_number))
    where users.id = ${userId} and json_each.value is not null) own`;

type Field = "email" | "phone_number";

/** What a user needs to sign in and to be reached: locks, codes, devices and notifications, newest first. */
export async function readAccess(
  deps: Pick<Deps, "db" | "now" | "log" | "config">,
  caller: StaffClaims,
  userId: string,
) {
  const now = deps.now();
  const { hardLockoutAfter, resetAfterMs } = otpLimits.lock;
  const isRecent = sql`last_guess_at > ${now - resetAfterMs}`;
  const field = sql<Field>`own.field`.as("field");
  const found = await runStaffBatch(deps, caller, ({ ifStaff }) => ({
    user: selectId(deps, userId),
    networkLocks: deps.db
      .select({
        field,
        network: sql<string>`guard.network`.as("network"),
        failures: sql<number>`json_array_length(guard.failures)`.as("failures"),
        lockedUntil: sql<number>`guard.locked_until`.as("locked_until"),
      })
      .from(
        sql`${identifiersOf(ifStaff(userId))} cross join ${otpNetworkGuards} guard on guard.identifier = own.identifier`,
      )
      .where(isRecent)
      .limit(MAX_NETWORKS),
    classLocks: deps.db
      .select({
        field,
        networkClass: sql<"familiar" | "other">`guard.network_class`.as("network_class"),
        failures: sql<number>`json_array_length(guard.failures)`.as("failures"),
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
        attempts: sql<number>`code.attempts_familiar + code.attempts_other`.as("attempts"),
        deliveredAt: sql<number | null>`code.delivered_at`.as("delivered_at"),
        undeliverableAt: sql<number | null>`code.undeliverable_at`.as("undeliverable_at"),
        verifiedAt: sql<number | null>`case when code.consumed_network is not null then code.consumed_at end`.as(
          "verified_at",
        ),
      })
      .from(
        sql`${identifiersOf(ifStaff(userId))} cross join ${otpChallenges} code on code.identifier = own.identifier
          and code.cid >= ${firstCidAt(now - CODES_SINCE_MS)}`,
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
      .limit(MAX_READ_DEVICES),
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
  // Sorted here, because the database would have to collect them first.
  return {
    ...found,
    codes: found.codes.sort((a, b) => b.createdAt - a.createdAt),
    devices: found.devices.sort((a, b) => b.lastUsedAt - a.lastUsedAt).slice(0, MAX_DEVICES),
  };
}

/** The rows of `readAccess`. */
export type AccessRows = NonNullable<Awaited<ReturnType<typeof readAccess>>>;
