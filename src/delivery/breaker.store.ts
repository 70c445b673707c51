import { and, eq, type SQL, sql } from "drizzle-orm";
import { providerBreakers } from "../db/platform-schema.ts";
import { raiseAlert } from "../platform/alerts.ts";
import { sha256 } from "../platform/crypto.ts";
import { instantOf } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";

/** Number of consecutive recipients whose messages failed before a provider's breaker opens. */
export const BREAKER_FAILURES = 5;
/** Number of recipients that a breaker remembers; further failures for them neither count again nor keep it open. */
const REMEMBERED_RECIPIENTS = 20;
/** How long an open breaker blocks calls before it admits one probe, in milliseconds. */
export const BREAKER_OPEN_MS = 30_000;

type BreakerDeps = Pick<Deps, "db" | "now">;

const { failures, failedRecipients, openedUntil, probedBy } = providerBreakers;

/** A failure for this recipient has been counted since the last success. */
const hasCounted = (recipient: string) =>
  sql`exists (select 1 from json_each(${failedRecipients}) where value = ${recipient})`;

/**
 * SQL for the name of the first provider that may be called for the recipient; NULL if none may. A provider with a
 * closed breaker always may. When the blocked time is over, one message is admitted as a probe. A recipient whose
 * failure has already counted waits twice as long, so that others probe first.
 *
 * @param names the providers in the order in which they are tried.
 * @param recipient as returned by `recipientKey`.
 */
export function firstAdmitted(deps: BreakerDeps, names: readonly string[], recipient: string): SQL<string | null> {
  const now = deps.now();
  return sql`(select candidate.value from json_each(${JSON.stringify(names)}) candidate
    left join ${providerBreakers} on ${providerBreakers.provider} = candidate.value
    where ${openedUntil} is null or (${openedUntil} <= ${now}
      and (${openedUntil} <= ${now - BREAKER_OPEN_MS} or not ${hasCounted(recipient)}))
    order by candidate.key limit 1)`;
}

/**
 * Blocks an open breaker for another period if `condition` holds, because the call that follows probes its provider.
 * Changes nothing while the breaker is closed.
 *
 * @param provider SQL for the provider's name, as returned by `firstAdmitted`.
 */
export function startProbe(deps: BreakerDeps, provider: SQL, recipient: string, condition: SQL) {
  const now = deps.now();
  return deps.db
    .update(providerBreakers)
    .set({ openedUntil: now + BREAKER_OPEN_MS, probedBy: recipient, updatedAt: now })
    .where(sql`${providerBreakers.provider} = ${provider} and ${openedUntil} is not null and ${condition}`);
}

/** A provider that was called, and whether it failed. */
export interface CalledProvider {
  name: string;
  hasFailed: boolean;
}

/** Records what a call says about its provider. Pass the result to `reportOpening`. */
export function recordCall(deps: BreakerDeps, { name, hasFailed }: CalledProvider, recipient: string) {
  return hasFailed ? recordFailure(deps, name, recipient) : recordSuccess(deps, name);
}

/** Closes the breaker and forgets the failures; changes nothing if there are none. */
function recordSuccess(deps: BreakerDeps, provider: string) {
  return deps.db
    .update(providerBreakers)
    .set({ failures: 0, failedRecipients: "[]", openedUntil: null, probedBy: null, updatedAt: deps.now() })
    .where(
      and(
        eq(providerBreakers.provider, provider),
        sql`(${providerBreakers.failures} > 0 or ${providerBreakers.openedUntil} is not null)`,
      ),
    )
    .returning({ isOpened: sql<number | null>`0` });
}

/**
 * Counts one failure per recipient since the last success. The failure that reaches BREAKER_FAILURES opens the breaker,
 * and each later one of a new recipient extends it. A failed probe for a recipient that was already counted proves
 * nothing, so the next recipient may probe at once.
 */
function recordFailure(deps: BreakerDeps, provider: string, recipient: string) {
  const now = deps.now();
  const appended = sql`json_insert(${failedRecipients}, '$[#]', ${recipient})`;
  return deps.db
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
    .returning({ isOpened: sql<number | null>`${openedUntil} = ${now + BREAKER_OPEN_MS}` });
}

/** Raises an alert if the recorded call opened the breaker or kept it open. */
export function reportOpening(
  deps: Pick<Deps, "log">,
  called: CalledProvider | undefined,
  recorded: readonly { isOpened: number | null }[] | undefined,
): void {
  if (called && recorded?.[0]?.isOpened === 1) raiseAlert(deps, "breaker_opened", { provider: called.name });
}

/**
 * Short key of a recipient for a breaker: 24 bits of a hash of the user id or address. Many people share a key, so the
 * row identifies nobody; two recipients with the same key count once.
 */
export async function recipientKey({ userId, to }: { userId?: string; to: string }): Promise<string> {
  return (await sha256(userId ?? to)).slice(0, 4);
}
