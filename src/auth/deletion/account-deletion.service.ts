import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import { AppError } from "../../platform/http/errors.ts";
import { sessionEnded } from "../../sessions/guard.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { readVerificationToken } from "../otp/verification-token.ts";
import { deleteAccount, findDeletable } from "./account-deletion.store.ts";
import { prepareErasure } from "./account-erasure.store.ts";

/**
 * Permanently deletes the caller's account. No route shows the user afterwards; `finish_account_deletion` erases the
 * rest of the history.
 *
 * @throws AppError `reauthentication_required` when the sign-in is older than 10 minutes and the caller gives no live
 *   verification token of their own; `open_rental`, `debt_due`, `last_admin`; `token_not_valid`. A failed call does not
 *   redeem the token.
 */
export async function deleteOwnAccount(
  deps: Deps,
  caller: AccessClaims,
  verificationToken: string | undefined,
): Promise<void> {
  const verifiedCid = await readVerificationToken(deps, verificationToken);
  const deletable = await findDeletable(deps, caller, verifiedCid);
  if (!deletable) throw sessionEnded();
  if (deletable.obstacle) throw new AppError(deletable.obstacle);
  const erasure = await prepareErasure(deps, caller.userId, deletable.snapshot);
  const { isDeleted, events, found } = await deleteAccount(deps, caller, verifiedCid, erasure);
  if (isDeleted) {
    deps.afterResponse(publishCoalesced(deps, events));
    return;
  }
  if (!found) throw sessionEnded();
  if (found.obstacle) throw new AppError(found.obstacle);
  // The user's identifiers changed between the two batches.
  throw new AppError("service_unavailable", { retryAfterSeconds: 1 });
}
