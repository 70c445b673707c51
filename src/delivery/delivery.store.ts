import { and, eq, sql } from "drizzle-orm";
import { deliveries } from "../db/platform-schema.ts";
import { inOneTrip } from "../platform/database.ts";
import type { Deps } from "../platform/deps.ts";
import { AppError } from "../platform/errors.ts";

/** How long one consumer may take with a message before another may try, in milliseconds. */
const CLAIM_MS = 30_000;
/** Claims without a recorded outcome that a message gets: the second may double it, a third is not made. */
const MAX_UNCERTAIN_CLAIMS = 2;

type ClaimDeps = Pick<Deps, "db" | "now" | "log" | "attemptId">;

/**
 * Takes the right to send a message, before its provider is called: one consumer at a time, none after it was delivered.
 *
 * @returns `claimed`; `delivered` when it has been sent; `busy` while another consumer holds it; `exhausted` when it may
 *   have gone out twice already.
 */
export async function claimDelivery(deps: ClaimDeps, eventId: string) {
  const now = deps.now();
  const reads = { found: deps.db.select().from(deliveries).where(eq(deliveries.eventId, eventId)) };
  const writes = {
    claimed: deps.db
      .insert(deliveries)
      .values({ eventId, claimedBy: deps.attemptId, claimedUntil: now + CLAIM_MS, attempts: 1 })
      .onConflictDoUpdate({
        target: deliveries.eventId,
        set: { claimedBy: deps.attemptId, claimedUntil: now + CLAIM_MS, attempts: sql`${deliveries.attempts} + 1` },
        setWhere: sql`${deliveries.deliveredAt} is null and ${deliveries.claimedUntil} <= ${now}
          and ${deliveries.attempts} < ${MAX_UNCERTAIN_CLAIMS}`,
      })
      .returning({ eventId: deliveries.eventId }),
  };
  // The claim may stand although its answer was lost: the row says whose it is.
  const { found } = await inOneTrip(deps, { ...writes, ...reads }).catch(() => inOneTrip(deps, reads));
  const [row] = found;
  if (!row) throw new AppError("service_unavailable", { reason: "the claim was not made" });
  if (row.deliveredAt !== null) return "delivered";
  if (row.claimedBy === deps.attemptId && row.claimedUntil > now) return "claimed";
  return row.claimedUntil > now ? "busy" : "exhausted";
}

/** Records that the provider took the message. */
export async function settleDelivery(deps: ClaimDeps, eventId: string): Promise<void> {
  await inOneTrip(deps, {
    settled: deps.db
      .update(deliveries)
      .set({ deliveredAt: deps.now() })
      .where(and(eq(deliveries.eventId, eventId), eq(deliveries.claimedBy, deps.attemptId))),
  });
}

/** Gives the claim back after a refusal that is certain: the message did not go out, so it counts for nothing. */
export async function releaseDelivery(deps: ClaimDeps, eventId: string): Promise<void> {
  await inOneTrip(deps, {
    released: deps.db
      .update(deliveries)
      .set({ claimedUntil: 0, attempts: sql`${deliveries.attempts} - 1` })
      .where(and(eq(deliveries.eventId, eventId), eq(deliveries.claimedBy, deps.attemptId))),
  });
}
