import { and, eq, type SQL, sql } from "drizzle-orm";
import { type AuditedEntity, auditLogs } from "../../db/platform-schema.ts";
import type { Deps } from "../deps.ts";
import type { Client } from "../http/client.ts";
import { nowUnlessWindowIsFull, UNLIMITED_ENTITIES } from "./audited-writes.ts";
import { insertWhere } from "./database.ts";
import type { BuilderDeps, Value } from "./prepared.ts";

interface AuditEntry {
  /** Generated if absent. */
  id?: string;
  userId: Value<string>;
  action: Value<(typeof auditLogs.$inferInsert)["action"]>;
  entityType: AuditedEntity;
  entityId: Value<string>;
  /** JSON text, as an SQL expression; must not contain secrets. */
  oldValues?: SQL;
  newValues?: SQL;
  /** Null for changes made by an operator's command. */
  actorId: Value<string | null>;
  byStaff?: boolean;
  sessionId?: Value<string>;
}

/** The part of a client that an audit row names. */
export interface AuditClient {
  ip: Value<string | null>;
  userAgent: Value<string | null>;
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
  const createdAt = isOwnWrite(entry) ? nowUnlessWindowIsFull(deps.now(), entry.userId) : deps.now();
  return insertAudit(deps, client, { ...entry, createdAt }, condition);
}

/** Like `recordAudit`, for a sign-in or sign-up, which counts towards no limit. */
export function recordSignInAudit(
  deps: Pick<BuilderDeps, "db" | "now" | "newId">,
  client: AuditClient,
  entry: AuditEntry & { entityType: "user" | "session" },
  condition: SQL,
) {
  return insertAudit(deps, client, { ...entry, createdAt: deps.now() }, condition);
}

/** The audit row was written, so the change that it records took effect. @param userId the row's user. */
export function isAudited(userId: string | SQL, id: string): SQL {
  return sql`exists (select 1 from audit_logs where audit_logs.user_id = ${userId} and audit_logs.id = ${id})`;
}

/** Selects the audit row's id, as the marker of the change that it records; no row if it was not written. */
export function selectAudit(deps: Pick<Deps, "db">, userId: string, id: string) {
  return deps.db
    .select({ id: auditLogs.id })
    .from(auditLogs)
    .where(and(eq(auditLogs.userId, userId), eq(auditLogs.id, id)));
}

function insertAudit(
  deps: Pick<BuilderDeps, "db" | "newId">,
  client: AuditClient,
  entry: AuditEntry & { createdAt: Value<number> },
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
      createdAt: entry.createdAt,
    },
    condition,
  );
}
