import type { Deps } from "../../platform/deps.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { userNotFound } from "../refusals.ts";
import { type AccessRows, readAccess } from "./user-access.store.ts";

/** What keeps a user from signing in or being reached. @throws AppError `permission_denied`; `not_found`. */
export async function getUserAccess(deps: Deps, caller: StaffClaims, userId: string): Promise<AccessRows> {
  const found = await readAccess(deps, caller, userId);
  if (!found) throw userNotFound();
  return found;
}
