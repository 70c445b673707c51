import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError, type ErrorCode } from "../../platform/http/errors.ts";
import { beyondLimit } from "../../platform/http/rate-limit.ts";
import { denySessions } from "../../sessions/denylist.store.ts";
import { sessionEnded } from "../../sessions/guard.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { REPEAT_WINDOW_MS } from "../account/account.service.ts";
import type { Registration } from "./credential.fields.ts";
import { removePasskey, renamePasskey } from "./own-passkeys.store.ts";
import type { PasskeyRow } from "./passkey.views.ts";
import { addPasskey, findPasskeyOwner } from "./passkey-add.store.ts";
import { stageOfChallenge } from "./passkey-challenge.ts";
import { failed } from "./passkey-login.service.ts";
import { creationOptions, requestOptions } from "./passkey-options.ts";
import { MAX_PASSKEYS, passkeyAddsPerDay } from "./passkey-rules.store.ts";
import { requirePasskeys } from "./passkey-settings.ts";
import { challengeIn, checkRegistration } from "./webauthn.ts";

/**
 * Options to add a passkey, or to prove the session with one.
 *
 * @throws AppError `token_not_valid`; to add one also `reauthentication_required`, `passkey_required` for staff,
 *   `conflict` with 10 passkeys, `rate_limit_exceeded`; to prove `not_found` without a passkey, and where passkeys are
 *   not offered.
 */
export async function startOwnCeremony(deps: Deps, caller: AccessClaims, purpose: "REGISTER" | "PROOF") {
  const passkeys = requirePasskeys(deps);
  const { owner, own, ...state } = await findPasskeyOwner(deps, caller);
  if (!owner) throw sessionEnded();
  const { userId, sessionId } = caller;
  if (purpose === "PROOF") {
    if (own.length === 0)
      throw new AppError("not_found", {
        message: { en: "You have no passkey yet.", ne: "तपाईंको पासकी अझै छैन।" },
      });
    return requestOptions(deps, passkeys, { purpose: "proof", sessionId, userId }, own);
  }
  refuse(deps, state);
  const { identifier, username, fullName } = owner;
  const person = { userId, name: identifier ?? username, displayName: fullName ?? username };
  return creationOptions(deps, passkeys, { purpose: "register", sessionId, userId }, person, own);
}

/**
 * Adds a passkey to the caller's account. The repetition of a call that added it gives the same passkey.
 *
 * @throws AppError as `startOwnCeremony`, and `passkey_failed`.
 */
export async function addOwnPasskey(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  credential: Registration,
  name: string | undefined,
): Promise<PasskeyRow> {
  const passkeys = requirePasskeys(deps);
  const challenge = challengeIn(credential);
  const scope = { purpose: "register", sessionId: caller.sessionId, userId: caller.userId } as const;
  const stage = await stageOfChallenge(deps, scope, challenge, REPEAT_WINDOW_MS);
  if (!stage) throw failed("challenge");
  const checked = await checkRegistration({ passkeys, challenge }, credential);
  if (!checked.isValid) throw failed(checked.reason);
  const { isValid: _, ...found } = checked;
  const outcome = await addPasskey(deps, client, caller, { ...found, challenge, stage, name: name ?? null });
  if (!outcome.state) throw sessionEnded();
  deps.afterResponse(publishCoalesced(deps, outcome.events));
  if (outcome.passkey) return outcome.passkey;
  if (!outcome.isUsed && stage === "repeat") throw failed("challenge");
  if (!outcome.isUsed) refuse(deps, outcome.state);
  throw failed(outcome.isUsed ? "challenge used" : "credential id is known");
}

/** Renames a passkey of the caller. @throws AppError `not_found`, `token_not_valid`. */
export async function renameOwnPasskey(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  id: string,
  name: string,
): Promise<PasskeyRow> {
  requirePasskeys(deps);
  const { passkey, isSignedIn } = await renamePasskey(deps, client, caller, id, name);
  if (!isSignedIn) throw sessionEnded();
  if (!passkey) throw passkeyNotFound();
  return passkey;
}

/**
 * Removes a passkey of the caller and ends the other sessions that it opened or proved.
 *
 * @throws AppError `not_found`, `reauthentication_required`, `passkey_required` for staff, `last_sign_in_method`,
 *   `token_not_valid`.
 */
export async function removeOwnPasskey(deps: Deps, client: Client, caller: AccessClaims, id: string): Promise<void> {
  requirePasskeys(deps);
  const { isRemoved, state, endedSessions, events } = await removePasskey(deps, client, caller, id);
  if (isRemoved) {
    deps.afterResponse(publishCoalesced(deps, events));
    if (endedSessions.length > 0) deps.afterResponse(denySessions(deps, endedSessions));
    return;
  }
  if (!state) throw sessionEnded();
  if (state.obstacle === "not_found") throw passkeyNotFound();
  refuse(deps, state);
}

const passkeyNotFound = () => new AppError("not_found", { message: { en: "Passkey not found.", ne: "पासकी भेटिएन।" } });

/** @throws AppError for the obstacle, if there is one. */
function refuse(deps: Deps, state: { obstacle?: ErrorCode | null; limitEndsAt?: number }): void {
  const { obstacle, limitEndsAt = 0 } = state;
  if (obstacle === "rate_limit_exceeded") {
    const waitSeconds = Math.ceil((limitEndsAt - deps.now()) / 1000);
    throw beyondLimit("passkey-adds", passkeyAddsPerDay, waitSeconds, "passkeys added in a day");
  }
  if (obstacle === "conflict") {
    throw new AppError("conflict", {
      message: {
        en: `You have ${MAX_PASSKEYS} passkeys. Remove one first.`,
        ne: `तपाईंसँग ${MAX_PASSKEYS} पासकी छन्। पहिले एउटा हटाउनुहोस्।`,
      },
    });
  }
  if (obstacle) throw new AppError(obstacle);
}
