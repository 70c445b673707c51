import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import { beyondLimit } from "../../platform/http/rate-limit.ts";
import { denySessions } from "../../sessions/denylist.store.ts";
import { sessionEnded } from "../../sessions/guard.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { parseIdentifier } from "../../users/identifier.ts";
import { canonicalTestIdentifiers } from "../otp/test-identifiers.ts";
import { readVerificationToken } from "../otp/verification-token.ts";
import type { IdentityRows } from "./identity.store.ts";
import { changeIdentifier, type IdentifierChange } from "./identity-change.store.ts";
import { changesPerDay } from "./identity-limits.ts";

/** An identifier to set: its kind, the request field that holds it, and its verification token. */
export interface IdentifierToSet {
  kind: IdentifierChange["kind"];
  field: "email" | "phone_number";
  given: string;
  verificationToken: string;
  /** After `number_dormant`: take the number off the sleeping account. */
  startOver?: boolean;
}

/**
 * Adds or replaces an identifier of the caller. Changes nothing if the caller already has it and it is verified.
 *
 * @throws AppError `token_not_valid`, `reauthentication_required`, `passkey_required` for staff, `rate_limit_exceeded`
 *   after 5 changes in a day, `invalid_token`, `number_dormant`, `user_already_exists`, `identifier_replaced`;
 *   `conflict` for a test identifier. A failed call does not use the verification token up.
 */
export async function setOwnIdentifier(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  { kind, field, given, verificationToken, startOver = false }: IdentifierToSet,
): Promise<IdentityRows> {
  const { value } = parseIdentifier(deps, given, { field, kind });
  if (canonicalTestIdentifiers(deps).includes(value)) {
    throw new AppError("conflict", {
      message: {
        en: "This identifier is reserved for app reviews. Use another one.",
        ne: "यो एप समीक्षाका लागि छुट्याइएको छ। अर्को प्रयोग गर्नुहोस्।",
      },
    });
  }
  const cid = (await readVerificationToken(deps, verificationToken)) ?? "";
  return change(deps, client, caller, { kind, value, cid, startOver });
}

/**
 * Removes an identifier of the caller. Changes nothing if there is none.
 *
 * @throws AppError `token_not_valid`, `reauthentication_required`, `passkey_required` for staff, `rate_limit_exceeded`,
 *   `last_sign_in_method`.
 */
export function removeOwnIdentifier(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  kind: IdentifierChange["kind"],
): Promise<IdentityRows> {
  return change(deps, client, caller, { kind, value: null, cid: "", startOver: false });
}

async function change(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  wanted: IdentifierChange,
): Promise<IdentityRows> {
  const outcome = await changeIdentifier(deps, client, caller, wanted);
  if (!outcome.identity) throw sessionEnded();
  if (outcome.isChanged) {
    if (outcome.endedSessions.length > 0) deps.afterResponse(denySessions(deps, outcome.endedSessions));
    deps.afterResponse(publishCoalesced(deps, outcome.events));
  } else if (outcome.obstacle === "rate_limit_exceeded") {
    const waitSeconds = Math.ceil((outcome.limitEndsAt - deps.now()) / 1000);
    throw beyondLimit("identity-changes", changesPerDay, waitSeconds, "changes of identifiers in a day");
  } else if (outcome.obstacle) {
    throw new AppError(outcome.obstacle);
  }
  return outcome.identity;
}
