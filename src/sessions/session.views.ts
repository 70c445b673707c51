import { z } from "zod";
import { SIGN_IN_METHODS, type sessions } from "../db/sign-in-schema.ts";
import { isoTime } from "../platform/time.ts";

/** A session as shown to its user and to staff. */
export const sessionView = z
  .object({
    id: z.string(),
    current: z.boolean().meta({ description: "Whether this session made the request." }),
    created_at: z.iso.datetime(),
    last_used_at: z.iso.datetime(),
    ip: z.string(),
    user_agent: z.string().nullable(),
    device_name: z.string().nullable(),
    method: z.enum(SIGN_IN_METHODS),
  })
  .meta({ id: "Session" });

/** How many sessions a call has ended. */
export const endedView = z.object({ message: z.string(), ended: z.number().int() }).meta({ id: "EndedSessions" });

/** @param currentId id of the session that makes the request. */
export function viewSession(session: typeof sessions.$inferSelect, currentId: string): z.input<typeof sessionView> {
  return {
    id: session.id,
    current: session.id === currentId,
    created_at: isoTime(session.createdAt),
    last_used_at: isoTime(session.lastUsedAt),
    ip: session.ip,
    user_agent: session.userAgent,
    device_name: session.deviceName,
    method: session.method,
  };
}
