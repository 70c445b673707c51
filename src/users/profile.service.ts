import type { Client } from "../platform/client.ts";
import type { Deps } from "../platform/deps.ts";
import { fieldError } from "../platform/errors.ts";
import { relay } from "../platform/outbox.ts";
import { sessionEnded } from "../sessions/guard.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { changeProfile, findProfile, type ProfileChange, type ProfileRow } from "./profile.store.ts";

/** Nepal is 5 hours 45 minutes ahead of UTC all year. */
const KATHMANDU_OFFSET_MS = (5 * 60 + 45) * 60_000;

/** The caller's profile. @throws AppError `token_not_valid` when the session has ended. */
export async function getProfile(deps: Deps, caller: AccessClaims): Promise<ProfileRow> {
  const profile = await findProfile(deps, caller);
  if (!profile) throw sessionEnded();
  return profile;
}

/**
 * Changes what is sent; a null clears.
 *
 * @throws AppError `validation_error` for a date of birth that is not in the past, `token_not_valid`.
 */
export async function updateProfile(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  change: ProfileChange,
): Promise<ProfileRow> {
  const today = new Date(deps.now() + KATHMANDU_OFFSET_MS).toISOString().slice(0, 10);
  if (change.date_of_birth && change.date_of_birth >= today) {
    throw fieldError("date_of_birth", "Must be a day in the past.");
  }
  const { profile, events } = await changeProfile(deps, client, caller, change);
  if (!profile) throw sessionEnded();
  if (events.length > 0) deps.afterResponse(relay(deps, events));
  return profile;
}

/** The same change where a null is ignored instead of clearing. */
export function withoutNulls(change: ProfileChange): ProfileChange {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== null));
}
