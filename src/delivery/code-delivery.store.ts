import { and, eq, gt, inArray, sql } from "drizzle-orm";
import { otpChallenges } from "../db/sign-in-schema.ts";
import type { Deps } from "../platform/deps.ts";
import {
  CLAIM_MS,
  type DeliveryRecord,
  type DeliveryState,
  MAX_UNCERTAIN_ATTEMPTS,
  PUBLISH_AFTER_MS,
} from "./delivery-record.ts";

/** State of a code's delivery, and what its message is made of. */
export interface CodeState extends DeliveryState {
  cid: string;
  sealedCode: string | null;
  secretId: string;
  locale: "en" | "ne" | null;
  isForChange: boolean | null;
}

/**
 * The delivery of a code, recorded in the row of its challenge. The sealed code is erased together with the record of
 * the delivery.
 *
 * @param to the identifier; the row of another one, or of a deleted account, cannot be claimed.
 * @param bornClaim the claim with which this invocation recorded the challenge, if it did.
 */
export function codeDelivery(
  deps: Pick<Deps, "db" | "now">,
  { cid, to }: { cid: string; to: string },
  bornClaim?: string,
): DeliveryRecord<CodeState> {
  const { sendAttempts, sealedCode, expiresAt } = otpChallenges;
  const isCode = and(eq(otpChallenges.cid, cid), eq(otpChallenges.identifier, to));
  const isClaimedBy = (...claimIds: string[]) => and(isCode, inArray(otpChallenges.claimedBy, claimIds));
  const claimUntilLater = (claimId: string) => ({ claimedBy: claimId, claimedUntil: deps.now() + CLAIM_MS });
  return {
    bornClaim,
    claim: (claimId, condition) =>
      deps.db
        .update(otpChallenges)
        .set({ ...claimUntilLater(claimId), sendAttempts: sql`${sendAttempts} + 1` })
        .where(
          sql`${isCode} and ${sealedCode} is not null and ${otpChallenges.undeliverableAt} is null
            and ${expiresAt} > ${deps.now()} and ${otpChallenges.claimedUntil} <= ${deps.now()}
            and ${sendAttempts} < ${MAX_UNCERTAIN_ATTEMPTS} and ${condition}`,
        ),
    renew: (from, claimId, added, condition) =>
      deps.db
        .update(otpChallenges)
        .set({ ...claimUntilLater(claimId), sendAttempts: sql`${sendAttempts} + ${added}` })
        .where(and(isClaimedBy(from), sql`${sendAttempts} + ${added} <= ${MAX_UNCERTAIN_ATTEMPTS} and ${condition}`)),
    isClaimedBy: (claimId) => sql`exists (select 1 from ${otpChallenges} where ${isClaimedBy(claimId)})`,
    find: () =>
      deps.db
        .select({
          cid: otpChallenges.cid,
          sealedCode,
          secretId: otpChallenges.secretId,
          locale: otpChallenges.locale,
          isForChange: otpChallenges.isForChange,
          claimedBy: otpChallenges.claimedBy,
          claimedUntil: sql<number>`coalesce(${otpChallenges.claimedUntil}, 0)`,
          attempts: sql<number>`coalesce(${sendAttempts}, 0)`,
          deliveredAt: otpChallenges.deliveredAt,
          // A code that was consumed or has expired is not sent any more.
          undeliverableAt: sql<number | null>`coalesce(${otpChallenges.undeliverableAt},
            case when ${sealedCode} is null or ${expiresAt} <= ${deps.now()} then ${expiresAt} end)`,
        })
        .from(otpChallenges)
        .where(isCode),
    settle: (claimIds, settlement) => {
      const now = deps.now();
      // The queue gets the message now; if it loses it, the minute tick sends it again.
      const waiting = { claimedUntil: 0, publishAt: now + PUBLISH_AFTER_MS };
      const changes = {
        delivered: { deliveredAt: now, sealedCode: null },
        closed: { undeliverableAt: now, sealedCode: null },
        released: { ...waiting, sendAttempts: sql`${sendAttempts} - 1` },
        uncertain: waiting,
      };
      return deps.db
        .update(otpChallenges)
        .set(changes[settlement])
        .where(and(isClaimedBy(...claimIds), gt(otpChallenges.claimedUntil, 0)));
    },
  };
}
