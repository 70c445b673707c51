import { type SQL, sql } from "drizzle-orm";
import type { Deps } from "../platform/deps.ts";
import type { AdminClaims, StaffClaims } from "./claims.ts";
import { hasPasskey, hasRecentPasskey, isSignedIn, isSignedInAs } from "./session.store.ts";
import type { AccessClaims } from "./tokens.ts";

// Conditions on the caller's role. Each holds only while the caller's session is live and the caller is ACTIVE.

type ConditionDeps = Pick<Deps, "db" | "now" | "config">;

// Where STAFF_PASSKEYS is `required`, a role counts only in a session that a passkey opened or proved. The session's
// row records this, so the rule holds for every way to sign in.

const STAFF = sql` and users.role in ('staff', 'admin')`;
const ADMIN = sql` and users.role = 'admin'`;

const asStaff = (deps: ConditionDeps, caller: AccessClaims) =>
  isSignedInAs(deps, caller, sql`${STAFF} and ${hasPasskey(deps)}`);

const asAdmin = (deps: ConditionDeps, caller: AccessClaims) =>
  isSignedInAs(deps, caller, sql`${ADMIN} and ${hasPasskey(deps)}`);

/** The caller is staff or an admin. */
export function isStaff(deps: ConditionDeps, caller: StaffClaims): SQL {
  return asStaff(deps, caller);
}

/** The caller is an admin. */
export function isAdmin(deps: ConditionDeps, caller: AdminClaims): SQL {
  return asAdmin(deps, caller);
}

/**
 * The caller may change the user's account and KYC: staff may change accounts of role `user`, an admin any account, and
 * nobody their own.
 */
export function mayChangeAccount(deps: ConditionDeps, caller: StaffClaims, userId: string): SQL {
  return sql`(${userId} <> ${caller.userId} and (${asAdmin(deps, caller)}
    or ${asStaff(deps, caller)} and exists (select 1 from users where id = ${userId} and role = 'user')))`;
}

/**
 * The caller may change the user's role: an admin may, but not their own, so that one admin always remains; where staff
 * need passkeys, only within 10 minutes of a passkey (ASVS 8.4.2).
 */
export function mayChangeRole(deps: ConditionDeps, caller: AdminClaims, userId: string): SQL {
  const isAdminNow = isSignedInAs(deps, caller, sql`${ADMIN} and ${hasRecentPasskey(deps)}`);
  return sql`(${userId} <> ${caller.userId} and ${isAdminNow})`;
}

/**
 * The caller may change how the user signs in (identifiers, passkeys): as `mayChangeAccount`, but where staff need
 * passkeys, an account of staff only within 10 minutes of a passkey.
 */
export function mayChangeSignIn(deps: ConditionDeps, caller: StaffClaims, userId: string): SQL {
  const isAdminNow = isSignedInAs(deps, caller, sql`${ADMIN} and ${hasRecentPasskey(deps)}`);
  return sql`(${userId} <> ${caller.userId} and (${isAdminNow}
    or ${asStaff(deps, caller)} and exists (select 1 from users where id = ${userId} and role = 'user')))`;
}

/** The caller is the user whom the column `owner` names, or staff. For a route that both may call. */
export function isOwnerOrStaff(deps: ConditionDeps, caller: AccessClaims, owner: SQL): SQL {
  return sql`${isSignedIn(deps, caller)} and (${owner} = ${caller.userId} or ${asStaff(deps, caller)})`;
}
