import { and, eq, isNotNull, sql } from "drizzle-orm";
import { sessions } from "../db/sign-in-schema.ts";
import { devices } from "../db/user-schema.ts";
import { inOneTrip } from "../platform/database.ts";
import type { Deps } from "../platform/deps.ts";
import { isLive } from "../sessions/session.store.ts";

/** Devices that a user may have; registering one more lets the one used longest ago go. */
export const MAX_DEVICES = 20;

/** The statement that lists where the user's push notifications go: active devices whose session lives. */
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

/** Forgets a push token that the push service calls dead, unless the device has another one by now. */
export async function forgetPushToken(deps: Pick<Deps, "db" | "log">, id: string, fcmToken: string): Promise<void> {
  await inOneTrip(deps, {
    forgotten: deps.db
      .update(devices)
      .set({ fcmToken: null })
      .where(and(eq(devices.id, id), eq(devices.fcmToken, fcmToken))),
  });
}
