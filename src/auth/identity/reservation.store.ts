import { type SQL, sql } from "drizzle-orm";
import type { BuilderDeps, Value } from "../../platform/data/prepared.ts";
import { UNDO_WINDOW_MS } from "./identity-limits.ts";

/**
 * The identifier was replaced in or removed from an account during the last 7 days, so that nobody else may take it: its
 * owner may undo the change, or has disputed it, or staff have decided since. It is free again once the change was
 * undone, or if a sleeping account lost it. The index of former identifiers finds the few rows.
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
