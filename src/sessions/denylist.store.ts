import { withDeadline } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import { describeError } from "../platform/log.ts";
import { LIFE_MS } from "./session-open.store.ts";

/** How long a request waits for KV before it relies only on D1, in milliseconds. */
const KV_DEADLINE_MS = 1_000;
/** The longest life of a session: no entry needs to outlive it. */
const ENTRY_TTL_SECONDS = LIFE_MS.user.absolute / 1000;

const keyOf = (sessionId: string) => `deny:${sessionId}`;

/**
 * Whether the denylist contains the session. `true` is final; after `false` D1 decides, because KV may be a minute
 * stale or unavailable.
 */
export async function isDenied(deps: Pick<Deps, "kv" | "log">, sessionId: string): Promise<boolean> {
  try {
    return (await withDeadline(deps.kv.get(keyOf(sessionId)), KV_DEADLINE_MS)) !== null;
  } catch (error) {
    deps.log.warn("denylist_unreadable", { reason: describeError(error) });
    return false;
  }
}

/** Adds ended sessions to the denylist in KV. Failures are only logged, because D1 already rejects the sessions. */
export async function denySessions(deps: Pick<Deps, "kv" | "log">, sessionIds: string[]): Promise<void> {
  const puts = sessionIds.map((id) =>
    withDeadline(deps.kv.put(keyOf(id), "1", { expirationTtl: ENTRY_TTL_SECONDS }), KV_DEADLINE_MS),
  );
  for (const put of await Promise.allSettled(puts)) {
    if (put.status === "rejected") deps.log.warn("denylist_unwritable", { reason: describeError(put.reason) });
  }
}

/** Removes the entries of sessions whose rows have been deleted. @throws when KV fails. */
export async function forgetDenials(deps: Pick<Deps, "kv">, sessionIds: string[]): Promise<void> {
  for (const id of sessionIds) await withDeadline(deps.kv.delete(keyOf(id)));
}
