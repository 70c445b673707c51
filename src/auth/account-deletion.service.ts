import type { Deps } from "../platform/deps.ts";
import { AppError } from "../platform/errors.ts";
import { relayTogether } from "../platform/relay.ts";
import { sessionEnded } from "../sessions/guard.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { deleteAccount } from "./account-deletion.store.ts";
import { hashVerificationToken } from "./verification-token.ts";

/**
 * Deletes the caller's account for good; what lies outside the database goes soon after, until it is done.
 *
 * @throws AppError `reauthentication_required` where the sign-in is older than 10 minutes and no fresh verification token
 *   of theirs is given; `conflict` with what to do first; `token_not_valid`. None of them uses the token up.
 */
export async function deleteOwnAccount(
  deps: Deps,
  caller: AccessClaims,
  verificationToken: string | undefined,
): Promise<void> {
  const tokenHash = await hashVerificationToken(deps, verificationToken);
  const { isDeleted, events, obstacles } = await deleteAccount(deps, caller, tokenHash);
  if (isDeleted) {
    deps.afterResponse(relayTogether(deps, events));
    return;
  }
  if (!obstacles) throw sessionEnded();
  if (obstacles.mustReauthenticate) throw new AppError("reauthentication_required");
  if (obstacles.hasOpenRental) throw inTheWay("Return your power bank first: a rental is still open.");
  if (obstacles.hasDebt) throw inTheWay("Pay what is due first: the balance of your wallet is negative.");
  if (obstacles.isLastAdmin) throw inTheWay("You are the last admin. Make somebody else an admin first.");
  // It was in the way when the batch was decided, and is not any more.
  throw new AppError("service_unavailable", { retryAfterSeconds: 1 });
}

const inTheWay = (message: string) => new AppError("conflict", { message });
