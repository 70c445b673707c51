import { z } from "zod";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { readCursor, writeCursor } from "../../platform/http/cursor.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { userNotFound } from "../refusals.ts";
import { type AuditLogRow, listAuditLogs } from "./audit-log.store.ts";

/**
 * A page of actions on a user's account, by anybody, newest first. The view is recorded, unless the values are to be
 * masked.
 *
 * @throws AppError `permission_denied`; `validation_error` for a cursor of another list; `not_found`;
 *   `rate_limit_exceeded` if the caller has no views left.
 */
export async function getAuditLogs(
  deps: Deps,
  client: Client,
  caller: StaffClaims,
  userId: string,
  page: {
    page_size: number;
    cursor?: string | undefined;
    entity_type?: string | undefined;
    mask?: boolean | undefined;
  },
): Promise<{ results: AuditLogRow[]; nextCursor: string | null }> {
  const entityType = page.entity_type;
  const query = ["audit-logs", userId, ...(entityType === undefined ? [] : [entityType])];
  const [after] = (await readCursor(deps, query, page.cursor, z.tuple([z.string()]))) ?? [];
  const logs = await listAuditLogs(deps, client, caller, userId, {
    size: page.page_size,
    after,
    entityType,
    isMasked: page.mask === true,
  });
  if (!logs.isKnown) throw userNotFound();
  return {
    results: logs.found,
    nextCursor: logs.next === undefined ? null : await writeCursor(deps, query, [logs.next]),
  };
}
