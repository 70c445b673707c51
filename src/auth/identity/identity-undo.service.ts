import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import { denySessions } from "../../sessions/denylist.store.ts";
import { parseIdentifier } from "../../users/identifier.ts";
import { REPEAT_WINDOW_MS } from "../account/account.service.ts";
import { readVerificationToken } from "../otp/verification-token.ts";
import { disputeChange } from "./identity-undo.store.ts";

/** RESTORED: the account has its former identifiers again. HELD: it is inactive until staff decide. */
export type DisputeOutcome = "RESTORED" | "HELD";

/**
 * Disputes the replacement or removal of an identifier that its owner has verified again. The same call within 180
 * seconds gives the same answer.
 *
 * @throws AppError `invalid_token`; `account_inactive` when staff have closed the account or it is held already;
 *   `not_found` when nothing can be undone. A failed call does not use the verification token up.
 */
export async function disputeIdentityChange(
  deps: Deps,
  client: Client,
  request: { identifier: string; verification_token: string },
): Promise<DisputeOutcome> {
  const identifier = parseIdentifier(deps, request.identifier);
  const cid = await readVerificationToken(deps, request.verification_token);
  if (cid === undefined) throw new AppError("invalid_token", { reason: "not issued by this service" });
  const { isDone, token, isLive, outcome, isBlocked, endedSessions, events } = await disputeChange(
    deps,
    client,
    identifier,
    cid,
  );
  if (isDone) {
    if (endedSessions.length > 0) deps.afterResponse(denySessions(deps, endedSessions));
    deps.afterResponse(publishCoalesced(deps, events));
  }
  const isRepeated = token?.usedFor === "DISPUTE" && (token.usedAt ?? 0) > deps.now() - REPEAT_WINDOW_MS;
  if (isRepeated && (outcome === "RESTORED" || outcome === "HELD")) return outcome;
  if (!isLive) throw new AppError("invalid_token");
  if (isBlocked) throw new AppError("account_inactive");
  throw new AppError("not_found", {
    message: { en: "There is no change to undo.", ne: "फिर्ता गर्नुपर्ने कुनै परिवर्तन छैन।" },
  });
}
