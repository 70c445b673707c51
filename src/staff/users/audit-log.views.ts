import { z } from "zod";
import { isoTime } from "../../platform/time.ts";
import type { AuditLogRow } from "./audit-log.store.ts";
import { maskValues } from "./masked-values.ts";

/** An entry of a user's audit log. */
export const auditLogView = z
  .object({
    id: z.string(),
    action: z.enum(["CREATE", "UPDATE", "DELETE", "LOGIN", "LOGOUT", "VIEW"]),
    entity_type: z.string(),
    entity_id: z.string(),
    old_values: z.record(z.string(), z.unknown()).nullable(),
    new_values: z.record(z.string(), z.unknown()).nullable(),
    actor: z
      .object({ id: z.string(), username: z.string() })
      .nullable()
      .meta({ description: "The user who did it; null for the system and for deleted users." }),
    by_staff: z.boolean(),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    session_id: z.string().nullable(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: "AuditLog" });

export function viewAuditLog({ log, actor }: AuditLogRow): z.input<typeof auditLogView> {
  return {
    id: log.id,
    action: log.action,
    entity_type: log.entityType,
    entity_id: log.entityId,
    old_values: log.oldValues ?? null,
    new_values: log.newValues ?? null,
    actor: log.actorId !== null && actor !== null ? { id: log.actorId, username: actor } : null,
    by_staff: log.byStaff,
    ip: log.ip,
    user_agent: log.userAgent,
    session_id: log.sessionId,
    created_at: isoTime(log.createdAt),
  };
}

/** The entry with its values as `maskValues` leaves them; IP address and user agent stay. */
export function viewMaskedLog(row: AuditLogRow): z.input<typeof auditLogView> {
  const entry = viewAuditLog(row);
  return { ...entry, old_values: maskValues(entry.old_values), new_values: maskValues(entry.new_values) };
}
