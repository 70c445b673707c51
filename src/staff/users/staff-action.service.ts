import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { denySessions } from "../../sessions/denylist.store.ts";
import type { Actor } from "./staff-action.store.ts";
import type { UserDetail } from "./user-detail.store.ts";

type Outcome = Parameters<typeof publishCoalesced>[1];

/** Publishes an action's events and denies the sessions it ended, after the response. */
export function finishStaffAction(
  deps: Deps,
  { events, endedSessions }: { events: Outcome; endedSessions: string[] },
): void {
  deps.afterResponse(publishCoalesced(deps, events));
  if (endedSessions.length > 0) deps.afterResponse(denySessions(deps, endedSessions));
}

/**
 * Returns the user after an action. If the action changed something, its events and ended sessions are handled after
 * the response.
 */
export function settleStaffAction(
  deps: Deps,
  outcome: { isDone: boolean; detail: UserDetail } & Parameters<typeof finishStaffAction>[1],
): UserDetail {
  if (outcome.isDone) finishStaffAction(deps, outcome);
  return outcome.detail;
}

/** The staff member and the user that a request is about. */
export const actorOf = <C extends StaffClaims>(client: Client, caller: C, userId: string): Actor<C> => ({
  client,
  caller,
  userId,
});
