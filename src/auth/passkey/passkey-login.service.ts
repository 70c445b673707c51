import { IDEMPOTENCY_TTL_MS, identifyCall } from "../../platform/data/idempotency.ts";
import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import { denySessions } from "../../sessions/denylist.store.ts";
import { mintTokens } from "../../sessions/refresh.service.ts";
import { REPEAT_WINDOW_MS, type SignedIn } from "../account/account.service.ts";
import type { Assertion } from "./credential.fields.ts";
import { ageOfChallenge, stageOfChallenge } from "./passkey-challenge.ts";
import { findPasskeyKey, type PasskeySignIn, signInByPasskey } from "./passkey-login.store.ts";
import { requestOptions } from "./passkey-options.ts";
import { requirePasskeys } from "./passkey-settings.ts";
import { challengeIn, checkAssertion } from "./webauthn.ts";

const SIGN_IN = { purpose: "sign_in" } as const;

/** Options of a sign-in. They name no account and no passkey, and nothing is stored. @throws AppError `not_found`. */
export function startPasskeySignIn(deps: Deps) {
  return requestOptions(deps, requirePasskeys(deps), SIGN_IN, []);
}

/**
 * Signs in with a passkey. The same call within 180 seconds, or with its key within 24 hours, gives the same session
 * unless that was used to refresh.
 *
 * @param usedFor `CONSOLE` opens a session of the staff console, for staff only.
 * @throws AppError `passkey_failed`; `passkey_unknown` if no account has the passkey; `account_inactive`;
 *   `idempotency_key_reused`; `permission_denied` if the console's user is not staff, whose challenge stays unused;
 *   `not_found` where passkeys are not offered.
 */
export async function signInWithPasskey(
  deps: Deps,
  client: Client,
  credential: Assertion,
  usedFor: "LOGIN" | "CONSOLE" = "LOGIN",
): Promise<SignedIn> {
  const passkeys = requirePasskeys(deps);
  const call = await identifyCall(deps, client.idempotencyKey, "passkey-login", credential.id, { credential });
  const challenge = challengeIn(credential);
  // Without I/O, so that a challenge that this service did not issue costs nothing.
  const stage = await stageOfChallenge(deps, SIGN_IN, challenge, call ? IDEMPOTENCY_TTL_MS : REPEAT_WINDOW_MS);
  if (!stage) throw failed("challenge");
  const passkey = await findPasskeyKey(deps, credential.id);
  if (!passkey) throw new AppError("passkey_unknown");
  const checked = await checkAssertion({ passkeys, challenge }, credential, { ...passkey, mustNameUser: true });
  if (!checked.isValid) throw failed(checked.reason);
  const assertion = {
    challenge,
    usedFor,
    sessionId: deps.newId(),
    passkeyId: passkey.id,
    userId: passkey.userId,
    used: checked,
  };
  const outcome = await signInByPasskey(deps, client, assertion, call, stage);
  if (call && outcome.binding && outcome.binding.bodyHash !== call.bodyHash)
    throw new AppError("idempotency_key_reused");
  deps.afterResponse(publishCoalesced(deps, outcome.events));
  if (outcome.endedSessions.length > 0) deps.afterResponse(denySessions(deps, outcome.endedSessions));
  const { user, session } = outcome;
  if (user && session && (outcome.use?.usedBy === deps.invocationId || isReplay(deps, outcome, passkey.id, usedFor))) {
    return { ...(await mintTokens(deps, session)), user, referralApplied: false };
  }
  if (!user) throw new AppError("passkey_unknown");
  if (!outcome.use && !outcome.maySignIn) {
    throw new AppError(usedFor === "CONSOLE" && user.role === "user" ? "permission_denied" : "account_inactive");
  }
  throw failed(outcome.use ? "challenge used" : stage === "use" ? "counter" : "challenge");
}

/** Whether this call repeats an earlier one whose session has not been used since. */
function isReplay(
  deps: Deps,
  { use, session, binding }: PasskeySignIn,
  passkeyId: string,
  usedFor: "LOGIN" | "CONSOLE",
): boolean {
  if (use?.usedFor !== usedFor || session?.passkeyId !== passkeyId) return false;
  const isUnused = session.counter === 0 && session.revokedAt === null && session.idleExpiresAt > deps.now();
  return isUnused && (use.usedAt > deps.now() - REPEAT_WINDOW_MS || binding?.resultId === session.id);
}

/** @param reason for the log only. */
export const failed = (reason: string) => new AppError("passkey_failed", { reason });

/** The challenge of a credential if this service issued it, so that refused calls with forged ones share a limit. */
export async function challengeToLimit(deps: Deps, credential: Assertion): Promise<string | undefined> {
  const challenge = challengeIn(credential);
  return (await ageOfChallenge(deps, SIGN_IN, challenge)) === undefined ? undefined : challenge;
}
