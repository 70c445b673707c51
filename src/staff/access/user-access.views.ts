import { z } from "zod";
import { isoTime } from "../../platform/time.ts";
import { notificationView, viewNotification } from "../../users/views.ts";
import type { AccessRows } from "./user-access.store.ts";

const networkClass = z
  .enum(["familiar", "other"])
  .meta({ id: "NetworkClass", description: "Whether the user has signed in from the network within 90 days." });

/** Failures and locks of an identifier from one network, or from all networks of a class. */
const signInLock = z
  .object({
    identifier: z.enum(["email", "phone_number"]).meta({ description: "The field that holds the identifier." }),
    network_class: networkClass.nullable().meta({ description: "Null for the failures of one network." }),
    network: z.string().nullable().meta({ description: "Null for the failures of all networks of a class." }),
    failures: z.number().int().meta({ description: "Failures that count towards the next lock." }),
    locked_until: z.iso.datetime().nullable().meta({ description: "Null if it is not locked." }),
    is_closed: z.boolean().meta({
      description:
        "Whether 100 failures in a row have closed the class until a success in the other, a sign-in without a code, an " +
        "unlock, or 7 days without an attempt.",
    }),
  })
  .meta({ id: "SignInLock" });

/** A one-time code and what became of it. */
const sentCode = z
  .object({
    channel: z.enum(["sms", "email"]),
    created_at: z.iso.datetime(),
    network_class: networkClass,
    tries: z.number().int().nullable().meta({ description: "Wrong tries; null once the code was used." }),
    delivered_at: z.iso.datetime().nullable().meta({ description: "When a provider accepted the message." }),
    undeliverable_at: z.iso.datetime().nullable().meta({ description: "When sending was given up." }),
    verified_at: z.iso.datetime().nullable(),
  })
  .meta({ id: "SentCode" });

const device = z
  .object({
    id: z.string(),
    device_type: z.enum(["ANDROID", "IOS", "WEB"]),
    device_name: z.string().nullable(),
    app_version: z.string().nullable(),
    os_version: z.string().nullable(),
    can_push: z.boolean().meta({ description: "Whether a push can reach it: it has a token and a live session." }),
    last_used_at: z.iso.datetime(),
  })
  .meta({ id: "UserDevice" });

/** What a user needs to sign in and to be reached. */
export const accessView = z
  .object({
    locks: z.array(signInLock),
    codes: z.array(sentCode).meta({ description: "The codes of the last 24 hours, newest first." }),
    devices: z.array(device).meta({ description: "At most 20, the last used ones first." }),
    notifications: z.array(notificationView).meta({ description: "The newest 20." }),
  })
  .meta({ id: "UserAccess" });

/** @param now epoch ms; locks that have ended by then are shown as not locked. */
export function viewAccess(found: AccessRows, now: number): z.input<typeof accessView> {
  const lockedUntil = (until: number) => (until > now ? isoTime(until) : null);
  return {
    locks: [
      ...found.classLocks.map((lock) => ({
        identifier: lock.field,
        network_class: lock.networkClass,
        network: null,
        failures: lock.failures,
        locked_until: lockedUntil(Math.max(lock.lockedUntil, lock.closedUntil)),
        is_closed: lock.closedUntil > now,
      })),
      ...found.networkLocks.map((lock) => ({
        identifier: lock.field,
        network_class: null,
        network: lock.network,
        failures: lock.failures,
        locked_until: lockedUntil(lock.lockedUntil),
        is_closed: false,
      })),
    ],
    codes: found.codes.map((code) => ({
      channel: code.field === "email" ? "email" : "sms",
      created_at: isoTime(code.createdAt),
      network_class: code.networkClass,
      tries: code.attempts,
      delivered_at: isoTime(code.deliveredAt),
      undeliverable_at: isoTime(code.undeliverableAt),
      verified_at: isoTime(code.verifiedAt),
    })),
    devices: found.devices.map((each) => ({
      id: each.id,
      device_type: each.deviceType,
      device_name: each.deviceName,
      app_version: each.appVersion,
      os_version: each.osVersion,
      can_push: each.canPush === 1,
      last_used_at: isoTime(each.lastUsedAt),
    })),
    notifications: found.notifications.map((row) => viewNotification({ ...row, isRead: row.isRead === 1 })),
  };
}
