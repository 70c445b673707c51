import { and, eq, isNotNull, lte, notExists, sql } from "drizzle-orm";
import { providerBreakers } from "../db/platform-schema.ts";
import { inOneTrip, instantOf } from "../platform/database.ts";
import type { Deps } from "../platform/deps.ts";

/** Failures in a row after which a provider is left alone. */
export const BREAKER_FAILURES = 5;
/** How long it is left alone before one message tries it again, in milliseconds. */
export const BREAKER_OPEN_MS = 30_000;

type BreakerDeps = Pick<Deps, "db" | "now" | "log">;

/**
 * Whether a message may be given to the provider: always while the breaker is closed; when its time is over, to one
 * message, whose statement moves that time on for all others.
 */
export async function admitTry(deps: BreakerDeps, provider: string): Promise<boolean> {
  const now = deps.now();
  const isProvider = eq(providerBreakers.provider, provider);
  const open = deps.db
    .select()
    .from(providerBreakers)
    .where(and(isProvider, isNotNull(providerBreakers.openedUntil)));
  const { closed, probe } = await inOneTrip(deps, {
    closed: deps.db.select({ one: sql`1` }).from(sql`(select 1)`).where(notExists(open)),
    probe: deps.db
      .update(providerBreakers)
      .set({ openedUntil: now + BREAKER_OPEN_MS, updatedAt: now })
      .where(and(isProvider, lte(providerBreakers.openedUntil, now)))
      .returning({ provider: providerBreakers.provider }),
  });
  return closed.length > 0 || probe.length > 0;
}

/** Closes the breaker and forgets the failures. */
export async function recordSuccess(deps: BreakerDeps, provider: string): Promise<void> {
  await inOneTrip(deps, {
    closed: deps.db
      .update(providerBreakers)
      .set({ failures: 0, openedUntil: null, updatedAt: deps.now() })
      .where(
        and(
          eq(providerBreakers.provider, provider),
          sql`(${providerBreakers.failures} > 0 or ${providerBreakers.openedUntil} is not null)`,
        ),
      ),
  });
}

/** Counts the failure; the last of the row opens the breaker, and so does every one after it. */
export async function recordFailure(deps: BreakerDeps, provider: string): Promise<void> {
  const now = deps.now();
  await inOneTrip(deps, {
    counted: deps.db
      .insert(providerBreakers)
      .values({ provider, failures: 1, openedUntil: null, updatedAt: now })
      .onConflictDoUpdate({
        target: providerBreakers.provider,
        set: {
          failures: sql`${providerBreakers.failures} + 1`,
          openedUntil: sql`case when ${providerBreakers.failures} + 1 >= ${BREAKER_FAILURES}
            then ${instantOf(now + BREAKER_OPEN_MS)} else ${providerBreakers.openedUntil} end`,
          updatedAt: now,
        },
      }),
  });
}
