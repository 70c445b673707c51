import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { Locale } from "../../platform/http/locale.ts";
import { sessionEnded } from "../../sessions/guard.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { changeLocale, findIdentity, type IdentityRows } from "./identity.store.ts";

/** Who the caller is and how they sign in. @throws AppError `token_not_valid` if the session has ended. */
export async function getOwnIdentity(deps: Deps, caller: AccessClaims): Promise<IdentityRows> {
  const identity = await findIdentity(deps, caller);
  if (!identity) throw sessionEnded();
  return identity;
}

/**
 * Changes the language of messages to the caller; undefined changes nothing.
 *
 * @throws AppError `token_not_valid`.
 */
export async function updateOwnIdentity(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  change: { locale?: Locale | undefined },
): Promise<IdentityRows> {
  if (change.locale === undefined) return getOwnIdentity(deps, caller);
  const { identity, events } = await changeLocale(deps, client, caller, change.locale);
  if (!identity) throw sessionEnded();
  deps.afterResponse(publishCoalesced(deps, events));
  return identity;
}
