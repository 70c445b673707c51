import { type SQL, sql } from "drizzle-orm";
import { isReserved } from "../../auth/identity/reservation.store.ts";
import { withKey } from "../../users/username.ts";
import type { StaffActionDeps } from "./staff-action.store.ts";

/** The names of a user that a change sets; null removes one. */
interface NamesGiven {
  username?: string | undefined;
  email?: string | null | undefined;
  phone_number?: string | null | undefined;
}

/**
 * Conditions of which one forbids the change: another account has or keeps a name, or no way to sign in would be left.
 * Those that the given fields cannot meet are `false`, because D1 accepts at most 100 parameters per statement.
 */
export function obstaclesOf(
  deps: Pick<StaffActionDeps, "now">,
  userId: string,
  { email, phone_number: phone, username }: NamesGiven,
  changesIdentifiers: SQL,
) {
  const no = sql.raw("false");
  const isAnothers = (column: string, value: string | null | undefined) =>
    value ? sql`exists (select 1 from users o where o.${sql.raw(column)} = ${value} and o.id <> ${userId})` : no;
  const isKept = (value: string | null | undefined) => (value ? isReserved(deps, value, userId) : no);
  const after = (value: string | null | undefined, column: string) =>
    value === undefined ? sql.raw(`w.${column} is not null`) : no;
  return {
    isIdentifierTaken: sql`(${isAnothers("email", email)} or ${isAnothers("phone_number", phone)})`,
    isIdentifierReserved: sql`(${isKept(email)} or ${isKept(phone)})`,
    isNameTaken: isAnothers("username_key", username && withKey(username).key),
    // An account that has no way to sign in already may still be changed.
    isLastWayIn:
      email || phone || (email === undefined && phone === undefined)
        ? no
        : sql`(${changesIdentifiers} and not exists (select 1 from users w where w.id = ${userId}
            and (${after(email, "email")} or ${after(phone, "phone_number")}
              or exists (select 1 from passkeys where user_id = w.id)
              or exists (select 1 from social_accounts where user_id = w.id and revoked_at is null))))`,
  };
}
