import type { AccessClaims } from "./tokens.ts";

// Claims are branded by the guard that checked the token. The symbol has no value and is not exported, so only the guards
// in guard.ts, which assert these types, yield them.

declare const checkedFor: unique symbol;

/** Claims from a token that may have expired, for a route that demands a second proof. */
export interface MaybeExpiredClaims extends AccessClaims {
  readonly [checkedFor]: "maybe expired";
}

/** Claims of a caller on a staff route. The token proves no role: `isStaff` checks it in SQL. */
export interface StaffClaims extends AccessClaims {
  readonly [checkedFor]: "staff" | "admin";
}

/** Claims of a caller on an admin route. The token proves no role: `isAdmin` checks it in SQL. */
export interface AdminClaims extends StaffClaims {
  readonly [checkedFor]: "admin";
}
