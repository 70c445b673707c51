import { type SQL, sql } from "drizzle-orm";
import type { Deps } from "../platform/deps.ts";
import type { AdminClaims, StaffClaims } from "./claims.ts";
import { isSignedIn, isSignedInAs } from "./session.store.ts";
import type { AccessClaims } from "./tokens.ts";

// Conditions on the caller's role. Each holds only while the caller's session is live and the caller is ACTIVE.

type ConditionDeps = Pick<Deps, "db" | "now">;

const STAFF = sql` and users.role in ('staff', 'admin')`;
const ADMIN = sql` and users.role = 'admin'`;

/** The caller is staff or an admin. */
export function isStaff(deps: ConditionDeps, caller: StaffClaims): SQL {
  return isSignedInAs(deps, caller, STAFF);
}

/** The caller is an admin. */
export function isAdmin(deps: ConditionDeps, caller: AdminClaims): SQL {
  return isSignedInAs(deps, caller, ADMIN);
}

/**
 * The caller may change the user's account and KYC: staff may change accounts of role `user`, an admin any account, and
 * nobody their own.
 */
export function mayChangeAccount(deps: ConditionDeps, caller: StaffClaims, userId: string): SQL {
  return sql`(${userId} <> ${caller.userId} and (${isSignedInAs(deps, caller, ADMIN)}
    or ${isStaff(deps, caller)} and exists (select 1 from users where id = ${userId} and role = 'user')))`;
}

/** The caller may change the user's role: an admin may, but not their own, so that one admin always remains. */
export function mayChangeRole(deps: ConditionDeps, caller: AdminClaims, userId: string): SQL {
  return sql`(${userId} <> ${caller.userId} and ${isAdmin(deps, caller)})`;
}

/** The caller is the user whom the column `owner` names, or staff. For a route that both may call. */
export function isOwnerOrStaff(deps: ConditionDeps, caller: AccessClaims, owner: SQL): SQL {
  return sql`${isSignedIn(deps, caller)} and (${owner} = ${caller.userId} or ${isSignedInAs(deps, caller, STAFF)})`;
}
