import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import { sessionEnded } from "../../sessions/guard.ts";
import { PROOF_WINDOW_MS } from "../../sessions/recent-proof.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { REPEAT_WINDOW_MS } from "../account/account.service.ts";
import { readVerificationToken } from "../otp/verification-token.ts";
import type { Assertion } from "../passkey/credential.fields.ts";
import { stageOfChallenge } from "../passkey/passkey-challenge.ts";
import { requirePasskeys } from "../passkey/passkey-settings.ts";
import { challengeIn, checkAssertion } from "../passkey/webauthn.ts";
import { findOwnPasskeyKey, proveByPasskey } from "./passkey-proof.store.ts";
import { proveByToken } from "./proof.store.ts";

/**
 * Proves the caller's session with a verification token of one of the caller's own identifiers, and uses the token up.
 * The same call by the same session within 180 seconds gives the same answer.
 *
 * @returns until when sensitive changes are possible, in milliseconds since the epoch.
 * @throws AppError `invalid_token`; `token_not_valid`.
 */
export async function proveSession(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  verificationToken: string,
): Promise<number> {
  const cid = (await readVerificationToken(deps, verificationToken)) ?? "";
  const { isSignedIn, token } = await proveByToken(deps, client, caller, cid);
  if (!isSignedIn) throw sessionEnded();
  const usedAt = token?.usedFor === "PROOF" && token.sessionId === caller.sessionId ? token.usedAt : null;
  if (usedAt === null || usedAt <= deps.now() - REPEAT_WINDOW_MS) throw new AppError("invalid_token");
  return usedAt + PROOF_WINDOW_MS;
}

/**
 * Proves the caller's session with one of the caller's passkeys. The same call by the same session within 180 seconds
 * gives the same answer.
 *
 * @returns until when sensitive changes are possible, in milliseconds since the epoch.
 * @throws AppError `passkey_failed`; `passkey_unknown` if the caller has no such passkey; `token_not_valid`;
 *   `not_found` where passkeys are not offered.
 */
export async function proveSessionByPasskey(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  credential: Assertion,
): Promise<number> {
  const passkeys = requirePasskeys(deps);
  const { userId, sessionId } = caller;
  const challenge = challengeIn(credential);
  const failed = (reason: string) => new AppError("passkey_failed", { reason });
  const scope = { purpose: "proof", sessionId, userId } as const;
  const stage = await stageOfChallenge(deps, scope, challenge, REPEAT_WINDOW_MS);
  if (!stage) throw failed("challenge");
  const { passkey, isSignedIn } = await findOwnPasskeyKey(deps, caller, credential.id);
  if (!isSignedIn) throw sessionEnded();
  if (!passkey) throw new AppError("passkey_unknown");
  const checked = await checkAssertion({ passkeys, challenge }, credential, { ...passkey, mustNameUser: false });
  if (!checked.isValid) throw failed(checked.reason);
  const assertion = { challenge, usedFor: "PROOF", sessionId, passkeyId: passkey.id, userId, used: checked } as const;
  const outcome = await proveByPasskey(deps, client, caller, assertion, stage);
  if (!outcome.isSignedIn) throw sessionEnded();
  deps.afterResponse(publishCoalesced(deps, outcome.events));
  const { use } = outcome;
  if (!use) throw failed(stage === "use" ? "counter, or removed meanwhile" : "challenge");
  if (use.sessionId !== sessionId || use.usedAt <= deps.now() - REPEAT_WINDOW_MS) throw failed("challenge used");
  return use.usedAt + PROOF_WINDOW_MS;
}
