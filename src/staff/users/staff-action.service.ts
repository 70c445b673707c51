import { publishCoalesced } from "../../platform/data/relay.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import { denySessions } from "../../sessions/denylist.store.ts";
import { refuseUnlessMayChange, refuseUnlessStaff } from "../../sessions/guard.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import type { Actor, StaffActionOutcome } from "./staff-action.store.ts";
import type { UserDetail } from "./user-detail.store.ts";

type Role = UserDetail["user"]["role"];

/** Does after the response what an act leaves to be done: its events, and the denylist. */
export function finishStaffAction(
  deps: Deps,
  { events, endedSessions }: Pick<StaffActionOutcome, "events" | "endedSessions">,
): void {
  deps.afterResponse(publishCoalesced(deps, events));
  if (endedSessions.length > 0) deps.afterResponse(denySessions(deps, endedSessions));
}

/** @throws AppError as `refuseUnlessStaff`, or `not_found` when there is no such user. */
export function expectUserDetail<T>(caller: { role: Role } | undefined, person: T | undefined): T {
  refuseUnlessStaff(caller);
  if (person === undefined) throw noUser();
  return person;
}

export function noUser(): AppError {
  return new AppError("not_found", { message: { en: "User not found.", ne: "प्रयोगकर्ता भेटिएन।" } });
}

/**
 * The person after an act that may change nothing, since they stood so already.
 *
 * @throws AppError `token_not_valid`, `permission_denied`, `not_found`.
 */
export function settleStaffAction(deps: Deps, actor: Actor, outcome: StaffActionOutcome): UserDetail {
  const person = expectUserDetail(outcome.caller, outcome.person);
  if (outcome.isDone) finishStaffAction(deps, outcome);
  else refuseUnlessMayChange(outcome.caller, actor, person.user);
  return person;
}

export const actorOf = (client: Client, caller: AccessClaims, userId: string): Actor => ({ client, caller, userId });
