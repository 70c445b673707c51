import type { Deps } from "../../platform/deps.ts";
import { refuseUnlessAccountIsChangeable, userNotFound } from "../refusals.ts";
import type { AuditLogRow } from "./audit-log.store.ts";
import { insertNote } from "./note.store.ts";
import type { Actor } from "./staff-action.store.ts";

/**
 * Adds a note about a user and returns its audit entry.
 *
 * @throws AppError `permission_denied`, also for the caller's own account, and for a staff account unless the caller is
 *   an admin; `not_found`.
 */
export async function createNote(deps: Deps, actor: Actor, text: string): Promise<AuditLogRow> {
  const { caller, target, note } = await insertNote(deps, actor, text);
  if (!target) throw userNotFound();
  if (!note) refuseUnlessAccountIsChangeable(caller, actor, target);
  // Not reached: if the account may be changed, the same transaction has inserted the note.
  if (!note) throw userNotFound();
  return note;
}
