import { and, eq, sql } from "drizzle-orm";
import type { SQLiteUpdateSetSource } from "drizzle-orm/sqlite-core";
import { deliveries } from "../db/platform-schema.ts";
import { commit } from "../platform/data/commit.ts";
import { runBatch } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import { AppError } from "../platform/http/errors.ts";

/** How long one consumer may take with a message before another may try, in milliseconds. */
const CLAIM_MS = 30_000;
/** Tries without a certain outcome that a message gets: the second may double it, a third is not made. */
const MAX_UNCERTAIN_TRIES = 2;

type ClaimDeps = Pick<Deps, "db" | "now" | "log" | "invocationId">;

/**
 * Takes the right to send a message, before its provider is called: one consumer at a time, none after it was delivered.
 *
 * @returns `claimed`; `delivered` when it has been sent; `undeliverable` when it was given up; `busy`
 *   while another consumer holds it; `exhausted` when it may have gone out twice already.
 */
export async function claimDelivery(deps: ClaimDeps, eventId: string) {
  const now = deps.now();
  const reads = { found: deps.db.select().from(deliveries).where(eq(deliveries.eventId, eventId)) };
  const writes = {
    claimed: deps.db
      .insert(deliveries)
      .values({ eventId, claimedBy: deps.invocationId, claimedUntil: now + CLAIM_MS, attempts: 1 })
      .onConflictDoUpdate({
        target: deliveries.eventId,
        set: { claimedBy: deps.invocationId, claimedUntil: now + CLAIM_MS, attempts: sql`${deliveries.attempts} + 1` },
        setWhere: sql`${deliveries.deliveredAt} is null and ${deliveries.undeliverableAt} is null and ${deliveries.claimedUntil} <= ${now}
          and ${deliveries.attempts} < ${MAX_UNCERTAIN_TRIES}`,
      })
      .returning({ eventId: deliveries.eventId }),
  };
  const { found } = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ found: [row] }) => row?.claimedBy === deps.invocationId,
  });
  const [row] = found;
  if (!row) throw new AppError("service_unavailable", { reason: "the claim was not made" });
  if (row.deliveredAt !== null) return "delivered";
  if (row.undeliverableAt !== null) return "undeliverable";
  if (row.claimedBy === deps.invocationId && row.claimedUntil > now) return "claimed";
  return row.claimedUntil > now ? "busy" : "exhausted";
}

/**
 * Keeps the claim for one more provider; after a try whose outcome is uncertain that is another one that may have
 * reached the person.
 *
 * @returns false when no further try is left, or the claim is another's by now.
 */
export async function renewClaim(deps: ClaimDeps, eventId: string, last: { wasUncertain: boolean }): Promise<boolean> {
  const more = last.wasUncertain ? 1 : 0;
  const { renewed } = await runBatch(deps, {
    renewed: deps.db
      .update(deliveries)
      .set({ claimedUntil: deps.now() + CLAIM_MS, attempts: sql`${deliveries.attempts} + ${more}` })
      .where(and(isOurs(deps, eventId), sql`${deliveries.attempts} + ${more} <= ${MAX_UNCERTAIN_TRIES}`))
      .returning({ eventId: deliveries.eventId }),
  });
  return renewed.length > 0;
}

/** Records that the provider took the message. */
export async function recordDelivered(deps: ClaimDeps, eventId: string): Promise<void> {
  await update(deps, eventId, { deliveredAt: deps.now() });
}

/** Records that the recipient cannot be reached, or that no budget is left for them: no later try is made. */
export async function closeDelivery(deps: ClaimDeps, eventId: string): Promise<void> {
  await update(deps, eventId, { undeliverableAt: deps.now() });
}

/** Gives the claim back after a refusal that is certain: the message did not go out, so it counts for nothing. */
export async function releaseDelivery(deps: ClaimDeps, eventId: string): Promise<void> {
  await update(deps, eventId, { claimedUntil: 0, attempts: sql`${deliveries.attempts} - 1` });
}

/** Gives the claim back after an outcome that nobody knows: the try counts as one that may have reached the person. */
export async function recordUnknownOutcome(deps: ClaimDeps, eventId: string): Promise<void> {
  await update(deps, eventId, { claimedUntil: 0 });
}

/** A claim that has lapsed and was taken by another invocation is no longer ours. */
function isOurs(deps: ClaimDeps, eventId: string) {
  return and(eq(deliveries.eventId, eventId), eq(deliveries.claimedBy, deps.invocationId));
}

async function update(deps: ClaimDeps, eventId: string, set: SQLiteUpdateSetSource<typeof deliveries>): Promise<void> {
  await runBatch(deps, { updated: deps.db.update(deliveries).set(set).where(isOurs(deps, eventId)) });
}
