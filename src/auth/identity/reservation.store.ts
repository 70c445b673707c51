import { type SQL, sql } from "drizzle-orm";
import type { BuilderDeps, Value } from "../../platform/data/prepared.ts";
import { UNDO_WINDOW_MS } from "./identity-limits.ts";

/**
 * An account lost the identifier during the last 7 days, so nobody else may take it: its owner can still undo the
 * change, or has disputed it, or staff have changed the account's identifiers since. The identifier is free once the
 * change was undone, and if a sleeping account lost its number. The index `identity_changes_old` finds the rows.
 *
 * @param exceptUserId the account that may take it, because it lost it itself.
 */
export function isReserved(
  deps: Pick<BuilderDeps, "now">,
  identifier: Value<string | null>,
  exceptUserId: Value<string> = "",
): SQL {
  return sql`exists (select 1 from identity_changes r where r.old_identifier = ${identifier} and r.user_id <> ${exceptUserId}
    and r.created_at > ${deps.now()} - ${sql.raw(String(UNDO_WINDOW_MS))} and (r.outcome is null or r.outcome in ('HELD', 'DECIDED')))`;
}

/** The number of the next change of the row of `users`; see `identityChanges.number`. */
export const nextChangeNumber: SQL = sql.raw(
  "(select coalesce(max(c.number), 0) + 1 from identity_changes c where c.user_id = users.id)",
);
