import { type SQL, sql } from "drizzle-orm";
import type { Deps } from "../platform/deps.ts";
import { isAdmin, isStaff } from "./session.store.ts";
import type { AccessClaims } from "./tokens.ts";

/**
 * Holds while the caller may change the user's account and KYC: staff may change accounts of users, only an admin may
 * change those of staff and admins, and nobody may change their own. Every write of staff asks for it in its own WHERE.
 */
export function mayChangeAccount(deps: Pick<Deps, "db" | "now">, caller: AccessClaims, userId: string): SQL {
  return sql`(${userId} <> ${caller.userId} and (${isAdmin(deps, caller)}
    or ${isStaff(deps, caller)} and exists (select 1 from users where id = ${userId} and role = 'user')))`;
}
