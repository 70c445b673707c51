import { eq, sql } from "drizzle-orm";
import { users } from "../../db/user-schema.ts";
import { recordAudit } from "../../platform/data/audit.ts";
import type { Deps } from "../../platform/deps.ts";
import { commitStaffBatch } from "../staff-batch.store.ts";
import { selectLogs } from "./audit-log.store.ts";
import type { Actor } from "./staff-action.store.ts";
import { isUser } from "./user-detail.store.ts";

/** Adds a note to the user's audit log, if the caller may change the account. */
export async function insertNote(
  deps: Pick<Deps, "db" | "now" | "newId" | "log" | "config">,
  { client, caller, userId }: Actor,
  text: string,
) {
  const id = deps.newId();
  const found = await commitStaffBatch(
    deps,
    caller,
    ({ mayChange }) => ({
      writes: {
        noteRow: recordAudit(
          deps,
          client,
          {
            id,
            userId,
            action: "CREATE",
            entityType: "note",
            entityId: id,
            newValues: sql`json_object('text', ${text})`,
            actorId: caller.userId,
            byStaff: true,
            sessionId: caller.sessionId,
          },
          sql`${mayChange(userId)} and ${isUser(userId)}`,
        ),
      },
      reads: {
        target: deps.db.select({ role: users.role }).from(users).where(eq(users.id, userId)),
        note: selectLogs(deps, sql`audit_logs.user_id = ${userId} and audit_logs.id = ${id}`, {
          size: 1,
          after: undefined,
        }),
      },
    }),
    ({ note }) => note.length > 0,
  );
  return { caller: found.caller, target: found.target[0], note: found.note[0] };
}
