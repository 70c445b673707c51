import { dayOf } from "../nepal.ts";
import { publishCoalesced } from "../platform/data/publish.ts";
import type { Deps } from "../platform/deps.ts";
import type { Client } from "../platform/http/client.ts";
import type { FieldErrors } from "../platform/http/field-errors.ts";
import { sessionEnded } from "../sessions/guard.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { changeProfile, findProfile, type ProfileChange, type ProfileRow } from "./profile.store.ts";

/** The caller's profile. @throws AppError `token_not_valid` if the session has ended. */
export async function getProfile(deps: Deps, caller: AccessClaims): Promise<ProfileRow> {
  const profile = await findProfile(deps, caller);
  if (!profile) throw sessionEnded();
  return profile;
}

/**
 * Changes the fields that are sent; null clears a field.
 *
 * @throws AppError `token_not_valid`.
 */
export async function updateProfile(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  change: ProfileChange,
): Promise<ProfileRow> {
  const { profile, events } = await changeProfile(deps, client, caller, change);
  if (!profile) throw sessionEnded();
  deps.afterResponse(publishCoalesced(deps, events));
  return profile;
}

/** Returns an error unless the date of birth is before today in Asia/Kathmandu. */
export function checkBirth(deps: Pick<Deps, "now">, given: string | null | undefined): FieldErrors {
  return given && given >= dayOf(deps.now()) ? { date_of_birth: [{ code: "not_in_past" }] } : {};
}

/** The change without its nulls. */
export function withoutNulls<T extends Record<string, unknown>>(change: T): { [K in keyof T]: Exclude<T[K], null> } {
  const given = Object.entries(change).filter(([, value]) => value !== null);
  return Object.fromEntries(given) as { [K in keyof T]: Exclude<T[K], null> };
}
