import { z } from "zod";
import type { Deps } from "../../platform/deps.ts";
import { readCursor, writeCursor } from "../../platform/http/cursor.ts";
import type { AdminClaims } from "../../sessions/claims.ts";
import type { AuditLogRow } from "../users/audit-log.store.ts";
import { listActs, readMembers } from "./members.store.ts";

/** All staff and admins, with what they have seen and done in 24 hours. @throws AppError `permission_denied`. */
export function getMembers(deps: Deps, caller: AdminClaims) {
  return readMembers(deps, caller);
}

/**
 * A page of what a member of staff has seen and done, newest first.
 *
 * @throws AppError `permission_denied`; `validation_error` for a cursor of another list.
 */
export async function getActs(
  deps: Deps,
  caller: AdminClaims,
  { actor_id: actorId, page_size: size, cursor }: { actor_id: string; page_size: number; cursor?: string | undefined },
): Promise<{ results: AuditLogRow[]; nextCursor: string | null }> {
  const query = ["staff-audit-logs", actorId];
  const [after] = (await readCursor(deps, query, cursor, z.tuple([z.string()]))) ?? [];
  const { found, next } = await listActs(deps, caller, actorId, { size, after });
  return { results: found, nextCursor: next === undefined ? null : await writeCursor(deps, query, [next]) };
}
