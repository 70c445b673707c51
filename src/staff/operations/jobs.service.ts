import type { Deps } from "../../platform/deps.ts";
import type { AdminClaims } from "../../sessions/claims.ts";
import { readLastRuns } from "./jobs.store.ts";

/** The last run of each job. @throws AppError `permission_denied`. */
export function getLastRuns(deps: Deps, caller: AdminClaims) {
  return readLastRuns(deps, caller);
}
