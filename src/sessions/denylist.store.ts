import { withDeadline } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import { describeError } from "../platform/log.ts";

/** How long a request waits for KV before D1 decides alone, in milliseconds. */
const KV_DEADLINE_MS = 1_000;
/** A refresh token lives at most this long (90 days), so no entry need outlive it. */
const ENTRY_TTL_SECONDS = 90 * 24 * 60 * 60;

const keyOf = (sessionId: string) => `deny:${sessionId}`;

/**
 * Whether KV already knows that the session has ended. `true` is final; `false` proves nothing, since KV may be a
 * minute old or away: D1 decides.
 */
export async function isDenied(deps: Pick<Deps, "kv" | "log">, sessionId: string): Promise<boolean> {
  try {
    return (await withDeadline(deps.kv.get(keyOf(sessionId)), KV_DEADLINE_MS)) !== null;
  } catch (error) {
    deps.log.warn("denylist_unreadable", { reason: describeError(error) });
    return false;
  }
}

/** Echoes ended sessions to KV; D1 already refuses them, so a failure costs nothing but a later "no". */
export async function denySessions(deps: Pick<Deps, "kv" | "log">, sessionIds: string[]): Promise<void> {
  const puts = sessionIds.map((id) =>
    withDeadline(deps.kv.put(keyOf(id), "1", { expirationTtl: ENTRY_TTL_SECONDS }), KV_DEADLINE_MS),
  );
  for (const put of await Promise.allSettled(puts)) {
    if (put.status === "rejected") deps.log.warn("denylist_unwritable", { reason: describeError(put.reason) });
  }
}

/** Removes the entries of sessions that no row names any more. @throws when KV fails. */
export async function forgetDenials(deps: Pick<Deps, "kv">, sessionIds: string[]): Promise<void> {
  for (const id of sessionIds) await withDeadline(deps.kv.delete(keyOf(id)));
}
