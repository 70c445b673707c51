import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import { sessionEnded } from "../../sessions/guard.ts";
import { PROOF_WINDOW_MS } from "../../sessions/recent-proof.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { REPEAT_WINDOW_MS } from "../account/account.service.ts";
import { readVerificationToken } from "../otp/verification-token.ts";
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
