import type { AccessToken } from "./tokens.ts";

// The guard that checked the token brands its claims. The symbol has no value and is not exported, so branded claims
// come only from a type assertion, and only guard.ts makes one.

declare const checkedFor: unique symbol;

/** Claims of a token that may have expired, for a route that requires a second credential. */
export interface MaybeExpiredClaims extends AccessToken {
  readonly [checkedFor]: "maybe expired";
}

/** Claims of a caller on a staff route. The token does not contain the role; `isStaff` checks it in SQL. */
export interface StaffClaims extends AccessToken {
  readonly [checkedFor]: "staff" | "admin";
}

/** Claims of a caller on an admin route. The token does not contain the role; `isAdmin` checks it in SQL. */
export interface AdminClaims extends StaffClaims {
  readonly [checkedFor]: "admin";
}
