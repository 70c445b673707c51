import { and, eq, sql } from "drizzle-orm";
import type { SQLiteUpdateSetSource } from "drizzle-orm/sqlite-core";
import { deliveries } from "../db/platform-schema.ts";
import { commit } from "../platform/data/commit.ts";
import { runBatch } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import { AppError } from "../platform/http/errors.ts";

/** How long a claim lasts before another consumer may take the message, in milliseconds. */
const CLAIM_MS = 30_000;
/** Maximum number of attempts with an unknown outcome per message: the second may duplicate it, a third is not made. */
const MAX_UNCERTAIN_ATTEMPTS = 2;

type ClaimDeps = Pick<Deps, "db" | "now" | "log" | "invocationId">;

/**
 * Claims a message before its provider is called: one consumer at a time, none after delivery.
 *
 * @returns `claimed`; `delivered` if it was sent before; `undeliverable` if it was given up; `busy` while another
 *   consumer holds the claim; `exhausted` if it may have been sent twice already.
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
          and ${deliveries.attempts} < ${MAX_UNCERTAIN_ATTEMPTS}`,
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
 * Renews the claim for the next provider. If the last outcome was uncertain, this counts as another attempt that may
 * reach the recipient.
 *
 * @returns false if no further attempt is allowed, or another invocation holds the claim.
 */
export async function renewClaim(deps: ClaimDeps, eventId: string, last: { wasUncertain: boolean }): Promise<boolean> {
  const added = last.wasUncertain ? 1 : 0;
  const { renewed } = await runBatch(deps, {
    renewed: deps.db
      .update(deliveries)
      .set({ claimedUntil: deps.now() + CLAIM_MS, attempts: sql`${deliveries.attempts} + ${added}` })
      .where(
        and(
          isClaimedByThisInvocation(deps, eventId),
          sql`${deliveries.attempts} + ${added} <= ${MAX_UNCERTAIN_ATTEMPTS}`,
        ),
      )
      .returning({ eventId: deliveries.eventId }),
  });
  return renewed.length > 0;
}

/** Records that the provider accepted the message. */
export async function recordDelivered(deps: ClaimDeps, eventId: string): Promise<void> {
  await update(deps, eventId, { deliveredAt: deps.now() });
}

/** Records that the recipient cannot be reached or that the budget is spent; no further attempt is made. */
export async function closeDelivery(deps: ClaimDeps, eventId: string): Promise<void> {
  await update(deps, eventId, { undeliverableAt: deps.now() });
}

/** Releases the claim after a definite refusal. The message was not sent, so the attempt does not count. */
export async function releaseDelivery(deps: ClaimDeps, eventId: string): Promise<void> {
  await update(deps, eventId, { claimedUntil: 0, attempts: sql`${deliveries.attempts} - 1` });
}

/** Releases the claim after an unknown outcome. The attempt counts as one that may have reached the recipient. */
export async function recordUnknownOutcome(deps: ClaimDeps, eventId: string): Promise<void> {
  await update(deps, eventId, { claimedUntil: 0 });
}

/** This invocation still holds the claim; false if it expired and another invocation took it. */
function isClaimedByThisInvocation(deps: ClaimDeps, eventId: string) {
  return and(eq(deliveries.eventId, eventId), eq(deliveries.claimedBy, deps.invocationId));
}

async function update(deps: ClaimDeps, eventId: string, set: SQLiteUpdateSetSource<typeof deliveries>): Promise<void> {
  await runBatch(deps, {
    updated: deps.db.update(deliveries).set(set).where(isClaimedByThisInvocation(deps, eventId)),
  });
}
