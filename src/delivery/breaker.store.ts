import { and, eq, isNotNull, lte, notExists, sql } from "drizzle-orm";
import { providerBreakers } from "../db/platform-schema.ts";
import { raiseAlert } from "../platform/alerts.ts";
import { sha256 } from "../platform/crypto.ts";
import { instantOf, runBatch } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";

/** Number of consecutive recipients whose messages failed before a provider's breaker opens. */
export const BREAKER_FAILURES = 5;
/** Number of recipients that a breaker remembers; further failures for them neither count again nor keep it open. */
const REMEMBERED_RECIPIENTS = 20;
/** How long an open breaker blocks calls before it admits one probe, in milliseconds. */
export const BREAKER_OPEN_MS = 30_000;

type BreakerDeps = Pick<Deps, "db" | "now" | "log">;

const { failures, failedRecipients, openedUntil, probedBy } = providerBreakers;

/** A failure for this recipient has counted since the last success. */
const hasCounted = (recipient: string) =>
  sql`exists (select 1 from json_each(${failedRecipients}) where value = ${recipient})`;

/**
 * Whether a message may be passed to the provider: always while the breaker is closed. When the blocked time is over,
 * one message is admitted as a probe, and the same statement blocks all others for another period. A recipient whose
 * failure has already counted waits twice as long, so that others probe first.
 *
 * @param recipient as returned by `recipientKey`.
 */
export async function admitCall(deps: BreakerDeps, provider: string, recipient: string): Promise<boolean> {
  const now = deps.now();
  const isProvider = eq(providerBreakers.provider, provider);
  const open = deps.db
    .select()
    .from(providerBreakers)
    .where(and(isProvider, isNotNull(providerBreakers.openedUntil)));
  const { closed, probe } = await runBatch(deps, {
    closed: deps.db.select({ one: sql`1` }).from(sql`(select 1)`).where(notExists(open)),
    probe: deps.db
      .update(providerBreakers)
      .set({ openedUntil: now + BREAKER_OPEN_MS, probedBy: recipient, updatedAt: now })
      .where(
        and(
          isProvider,
          lte(openedUntil, now),
          sql`(${openedUntil} <= ${now - BREAKER_OPEN_MS} or not ${hasCounted(recipient)})`,
        ),
      )
      .returning({ provider: providerBreakers.provider }),
  });
  return closed.length > 0 || probe.length > 0;
}

/** Closes the breaker and forgets the failures. */
export async function recordSuccess(deps: BreakerDeps, provider: string): Promise<void> {
  await runBatch(deps, {
    closed: deps.db
      .update(providerBreakers)
      .set({ failures: 0, failedRecipients: "[]", openedUntil: null, probedBy: null, updatedAt: deps.now() })
      .where(
        and(
          eq(providerBreakers.provider, provider),
          sql`(${providerBreakers.failures} > 0 or ${providerBreakers.openedUntil} is not null)`,
        ),
      ),
  });
}

/**
 * Counts a failure once per recipient since the last success. The last failure needed opens the breaker, and each later
 * one of a new recipient extends it. A failed probe of a recipient that has already counted proves nothing, so the next
 * recipient may probe at once.
 */
export async function recordFailure(deps: BreakerDeps, provider: string, recipient: string): Promise<void> {
  const now = deps.now();
  const appended = sql`json_insert(${failedRecipients}, '$[#]', ${recipient})`;
  const { counted } = await runBatch(deps, {
    counted: deps.db
      .insert(providerBreakers)
      .values({
        provider,
        failures: 1,
        failedRecipients: JSON.stringify([recipient]),
        openedUntil: null,
        updatedAt: now,
      })
      .onConflictDoUpdate({
        target: providerBreakers.provider,
        set: {
          failures: sql`${failures} + (not ${hasCounted(recipient)})`,
          failedRecipients: sql`case when ${hasCounted(recipient)} then ${failedRecipients}
            when json_array_length(${failedRecipients}) >= ${REMEMBERED_RECIPIENTS} then json_remove(${appended}, '$[0]')
            else ${appended} end`,
          openedUntil: sql`case when not ${hasCounted(recipient)} and ${failures} + 1 >= ${BREAKER_FAILURES}
              then ${instantOf(now + BREAKER_OPEN_MS)}
            when ${hasCounted(recipient)} and ${openedUntil} is not null and ${probedBy} = ${recipient} then ${instantOf(now)}
            else ${openedUntil} end`,
          probedBy: sql`case when ${probedBy} = ${recipient} then null else ${probedBy} end`,
          updatedAt: now,
        },
      })
      .returning({ openedUntil: providerBreakers.openedUntil }),
  });
  if (counted[0]?.openedUntil === now + BREAKER_OPEN_MS) raiseAlert(deps, "breaker_opened", { provider });
}

/**
 * Short key of a recipient for a breaker: 24 bits of a hash of the user id or address. Many people share a key, so the
 * row identifies nobody; two recipients with the same key count once.
 */
export async function recipientKey({ userId, to }: { userId?: string; to: string }): Promise<string> {
  return (await sha256(userId ?? to)).slice(0, 4);
}
