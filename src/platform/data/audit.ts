import type { SQL } from "drizzle-orm";
import { auditLogs } from "../../db/platform-schema.ts";
import type { Deps } from "../deps.ts";
import type { Client } from "../http/client.ts";
import { nowUnlessWindowIsFull, UNLIMITED_ENTITIES } from "./audited-writes.ts";
import { insertWhere } from "./database.ts";

interface AuditEntry {
  /** Generated if absent. */
  id?: string;
  userId: string | SQL;
  action: (typeof auditLogs.$inferInsert)["action"] | SQL;
  entityType: string;
  entityId: string | SQL;
  /** JSON text, as an SQL expression; must not contain secrets. */
  oldValues?: SQL;
  newValues?: SQL;
  /** Null for changes made by an operator's command. */
  actorId: string | SQL | null;
  byStaff?: boolean;
  sessionId?: string;
}

/** Whether the entry counts towards the user's daily limit of own writes. */
function isOwnWrite({ userId, actorId, byStaff, entityType }: AuditEntry): boolean {
  return actorId === userId && byStaff !== true && !UNLIMITED_ENTITIES.includes(entityType);
}

/**
 * Writes an audit row in the batch of the action, if `condition` confirms that the action took place. A user's 1,001st
 * write to their own data within a day fails with the whole batch, and `runBatch` throws `rate_limit_exceeded`.
 */
export function recordAudit(
  deps: Pick<Deps, "db" | "now" | "newId">,
  client: Pick<Client, "userAgent"> & { ip: string | null },
  entry: AuditEntry,
  condition: SQL,
) {
  return insertWhere(
    deps,
    auditLogs,
    {
      id: entry.id ?? deps.newId(),
      userId: entry.userId,
      action: entry.action,
      entityType: entry.entityType,
      entityId: entry.entityId,
      oldValues: entry.oldValues ?? null,
      newValues: entry.newValues ?? null,
      actorId: entry.actorId,
      byStaff: entry.byStaff ?? false,
      ip: client.ip,
      userAgent: client.userAgent,
      sessionId: entry.sessionId ?? null,
      createdAt: isOwnWrite(entry) ? nowUnlessWindowIsFull(deps.now(), entry.userId) : deps.now(),
    },
    condition,
  );
}
