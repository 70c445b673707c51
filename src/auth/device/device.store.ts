import { and, eq, isNotNull, type SQL, sql } from "drizzle-orm";
import { sessions } from "../../db/sign-in-schema.ts";
import { deviceRegistrations, devices } from "../../db/user-schema.ts";
import { isAudited, recordAudit } from "../../platform/data/audit.ts";
import { commit } from "../../platform/data/commit.ts";
import { insertWhere, instantOf, mergeStatements, runBatch } from "../../platform/data/database.ts";
import { eventsOf } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { HOUR_MS } from "../../platform/time.ts";
import { isLive, isSignedIn } from "../../sessions/session.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { changeUser } from "../../users/user-change.store.ts";

/** Maximum number of devices per user; registering one more removes the least recently used one. */
export const MAX_DEVICES = 20;

/** Registrations per user in a fixed window, including repeated ones. */
export const registrationLimit = { count: 30, windowMs: HOUR_MS } as const;

/** A device as described by its app; null keeps the stored value. A new device is active unless the app says no. */
export interface Device {
  deviceId: string;
  fcmToken: string;
  deviceType: (typeof devices.$inferInsert)["deviceType"];
  deviceName: string | null;
  appVersion: string | null;
  osVersion: string | null;
  isActive: boolean | null;
}

export type DeviceRow = typeof devices.$inferSelect;

/**
 * Creates or updates the device and binds it to the caller's session, in one transaction. The push token is removed
 * from any other device that had it, even another user's. A change is audited; an identical registration only counts as
 * use. Changes nothing once the limit of registrations is reached.
 *
 * @returns the device, undefined if it was not registered; the user's registration `window`, undefined if the session
 *   has ended; and the events to publish.
 */
export async function upsertDevice(
  deps: Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">,
  client: Client,
  caller: AccessClaims,
  device: Device,
) {
  const now = deps.now();
  const { userId, sessionId } = caller;
  const isCallerSignedIn = isSignedIn(deps, caller);
  const isCounted = sql`exists (select 1 from device_registrations
    where user_id = ${userId} and counted_by = ${deps.invocationId})`;
  const isThisDevice = and(eq(devices.userId, userId), eq(devices.deviceId, device.deviceId));
  const thisDevice = sql`devices where user_id = ${userId} and device_id = ${device.deviceId}`;
  const [id, auditId] = [deps.newId(), deps.newId()];
  const described = JSON.stringify({
    device_type: device.deviceType,
    ...(device.deviceName === null ? {} : { device_name: device.deviceName }),
    ...(device.appVersion === null ? {} : { app_version: device.appVersion }),
    ...(device.osVersion === null ? {} : { os_version: device.osVersion }),
    ...(device.isActive === null ? {} : { is_active: device.isActive }),
  });
  const state = sql.raw(
    `json_object('device_type', device_type, 'device_name', device_name, 'app_version', app_version, 'os_version', os_version,
      'is_active', json(iif(is_active, 'true', 'false')))`,
  );
  const next = sql`json_patch(coalesce((select ${state} from ${thisDevice}), '{"is_active":true}'), ${described})`;
  const isUnchanged = sql`exists (select 1 from ${thisDevice} and fcm_token is ${device.fcmToken} and json(${state}) = ${next})`;
  const isChanged = isAudited(userId, auditId);
  const newest = deps.db
    .select({ id: devices.id })
    .from(devices)
    .where(eq(devices.userId, userId))
    // This device comes first, because another machine's clock may have been ahead when it wrote the others.
    .orderBy(sql`${eq(devices.deviceId, device.deviceId)} desc, ${devices.lastUsedAt} desc, ${devices.id} desc`)
    .limit(MAX_DEVICES);
  const writes = mergeStatements(
    {
      counted: countRegistration(deps, userId, isCallerSignedIn),
      audit: recordAudit(
        deps,
        client,
        {
          id: auditId,
          userId,
          action: sql`iif(exists (select 1 from ${thisDevice}), 'UPDATE', 'CREATE')`,
          entityType: "device",
          entityId: sql`coalesce((select id from ${thisDevice}), ${id})`,
          oldValues: sql`(select ${state} from ${thisDevice})`,
          newValues: next,
          actorId: userId,
          sessionId,
        },
        sql`${isCounted} and not ${isUnchanged}`,
      ),
      released: deps.db
        .update(devices)
        .set({ fcmToken: null })
        .where(sql`${eq(devices.fcmToken, device.fcmToken)} and not (${isThisDevice}) and ${isCounted}`),
      device: insertWhere(
        deps,
        devices,
        { ...device, isActive: device.isActive ?? true, id, userId, sessionId, lastUsedAt: now, createdAt: now },
        isCounted,
      ).onConflictDoUpdate({
        target: [devices.userId, devices.deviceId],
        set: {
          sessionId,
          fcmToken: device.fcmToken,
          deviceType: device.deviceType,
          deviceName: sql`coalesce(excluded.device_name, ${devices.deviceName})`,
          appVersion: sql`coalesce(excluded.app_version, ${devices.appVersion})`,
          osVersion: sql`coalesce(excluded.os_version, ${devices.osVersion})`,
          isActive: device.isActive ?? sql`${devices.isActive}`,
          lastUsedAt: instantOf(now),
        },
      }),
      forgotten: deps.db
        .delete(devices)
        .where(sql`${devices.userId} = ${userId} and ${devices.id} not in ${newest} and ${isCounted}`),
      named: deps.db
        .update(sessions)
        .set({ deviceName: sql`(select device_name from ${thisDevice})` })
        .where(
          and(
            eq(sessions.id, sessionId),
            eq(sessions.userId, userId),
            sql`${sessions.deviceName} is not (select device_name from ${thisDevice})`,
            isCounted,
          ),
        ),
    },
    changeUser(deps, userId, isChanged),
  );
  const reads = {
    found: deps.db.select().from(devices).where(and(isThisDevice, isCounted)),
    window: deps.db
      .select()
      .from(deviceRegistrations)
      .where(and(eq(deviceRegistrations.userId, userId), isCallerSignedIn)),
  };
  const outcome = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ window }) => window[0]?.countedBy === deps.invocationId,
  });
  return { device: outcome.found[0], window: outcome.window[0], events: eventsOf(outcome.changeEvent) };
}

/** Counts a registration if `condition` holds and the user's current window has room for it. */
function countRegistration(deps: Pick<Deps, "db" | "now" | "invocationId">, userId: string, condition: SQL) {
  const now = deps.now();
  const { windowEndsAt, count } = deviceRegistrations;
  const isOver = sql`${windowEndsAt} <= ${now}`;
  const first = { userId, windowEndsAt: now + registrationLimit.windowMs, count: 1, countedBy: deps.invocationId };
  return insertWhere(deps, deviceRegistrations, first, condition).onConflictDoUpdate({
    target: deviceRegistrations.userId,
    set: {
      count: sql`case when ${isOver} then 1 else ${count} + 1 end`,
      windowEndsAt: sql`case when ${isOver} then excluded.window_ends_at else ${windowEndsAt} end`,
      countedBy: sql`excluded.counted_by`,
    },
    setWhere: sql`${isOver} or ${count} < ${registrationLimit.count}`,
  });
}

/** Selects the devices for the user's push notifications: active ones whose session is live. */
export function selectPushDevices(deps: Pick<Deps, "db" | "now">, userId: string) {
  return deps.db
    .select({ id: devices.id, fcmToken: sql<string>`${devices.fcmToken}` })
    .from(devices)
    .innerJoin(sessions, eq(sessions.id, devices.sessionId))
    .where(
      and(
        eq(devices.userId, userId),
        eq(sessions.userId, userId),
        eq(devices.isActive, true),
        isNotNull(devices.fcmToken),
        isLive(deps.now()),
      ),
    )
    .limit(MAX_DEVICES);
}

/** Removes a push token that FCM reports as unregistered, unless the device has registered another one since. */
export async function forgetPushToken(deps: Pick<Deps, "db" | "log">, id: string, fcmToken: string): Promise<void> {
  await runBatch(deps, {
    forgotten: deps.db
      .update(devices)
      .set({ fcmToken: null })
      .where(and(eq(devices.id, id), eq(devices.fcmToken, fcmToken))),
  });
}
