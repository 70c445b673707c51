import { and, eq, gt, inArray, sql } from "drizzle-orm";
import { deliveries } from "../db/platform-schema.ts";
import { insertWhere } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import type { DeliveryRecord, DeliveryState } from "./delivery-record.ts";
import { CLAIM_MS, MAX_UNCERTAIN_ATTEMPTS } from "./delivery-record.ts";

type RecordDeps = Pick<Deps, "db" | "now">;

/** The delivery of a message, recorded in a row of `deliveries` under the message's id; the first claim inserts it. */
export function messageDelivery(deps: RecordDeps, eventId: string): DeliveryRecord<DeliveryState> {
  const { attempts } = deliveries;
  const isEvent = eq(deliveries.eventId, eventId);
  const isClaimedBy = (...claimIds: string[]) => and(isEvent, inArray(deliveries.claimedBy, claimIds));
  return {
    claim: (claimId, condition) => {
      const claim = { claimedBy: claimId, claimedUntil: deps.now() + CLAIM_MS };
      return insertWhere(deps, deliveries, { eventId, ...claim, attempts: 1 }, condition).onConflictDoUpdate({
        target: deliveries.eventId,
        set: { ...claim, attempts: sql`${attempts} + 1` },
        setWhere: sql`${deliveries.deliveredAt} is null and ${deliveries.undeliverableAt} is null
          and ${deliveries.claimedUntil} <= ${deps.now()} and ${attempts} < ${MAX_UNCERTAIN_ATTEMPTS}`,
      });
    },
    renew: (from, claimId, added, condition) =>
      deps.db
        .update(deliveries)
        .set({ claimedBy: claimId, claimedUntil: deps.now() + CLAIM_MS, attempts: sql`${attempts} + ${added}` })
        .where(and(isClaimedBy(from), sql`${attempts} + ${added} <= ${MAX_UNCERTAIN_ATTEMPTS} and ${condition}`)),
    isClaimedBy: (claimId) => sql`exists (select 1 from ${deliveries} where ${isClaimedBy(claimId)})`,
    find: () => deps.db.select().from(deliveries).where(isEvent),
    settle: (claimIds, settlement) => {
      const now = deps.now();
      const changes = {
        delivered: { deliveredAt: now },
        closed: { undeliverableAt: now },
        released: { claimedUntil: 0, attempts: sql`${attempts} - 1` },
        uncertain: { claimedUntil: 0 },
      };
      return deps.db
        .update(deliveries)
        .set(changes[settlement])
        .where(and(isClaimedBy(...claimIds), gt(deliveries.claimedUntil, 0)));
    },
  };
}
