import type { QueryCount } from "../platform/data/query-count.ts";
import type { Deps } from "../platform/deps.ts";
import type { WebhookOutcome } from "./webhook.ts";

/** Maximum number of open calls per invocation and endpoint. Workers allow six open connections in total. */
const MAX_OPEN_CALLS = 2;

interface Gate {
  open: number;
  waiting: (() => void)[];
  isSilent: boolean;
}

/** One map per invocation, because an invocation must not await another invocation's I/O. */
const gatesOf = new WeakMap<QueryCount, Map<string, Gate>>();

/**
 * Calls an endpoint without letting one that is down delay messages to others. An invocation has at most two open calls
 * to an endpoint, and after one call without a response it makes no more. Messages that were not sent are retried on
 * schedule.
 */
export async function callThroughGate(
  deps: Pick<Deps, "queries">,
  endpointId: string,
  call: () => Promise<WebhookOutcome>,
): Promise<WebhookOutcome> {
  const gate = gateOf(deps, endpointId);
  if (gate.open >= MAX_OPEN_CALLS) await new Promise<void>((resolve) => gate.waiting.push(resolve));
  else gate.open += 1;
  try {
    if (gate.isSilent) return { state: "failed", reason: "not called: the last call got no response" };
    const outcome = await call();
    if (outcome.state === "failed" && outcome.isSilent) gate.isSilent = true;
    return outcome;
  } finally {
    const next = gate.waiting.shift();
    if (next) next();
    else gate.open -= 1;
  }
}

function gateOf({ queries }: Pick<Deps, "queries">, endpointId: string): Gate {
  const gates = gatesOf.get(queries) ?? new Map<string, Gate>();
  gatesOf.set(queries, gates);
  const gate = gates.get(endpointId) ?? { open: 0, waiting: [], isSilent: false };
  gates.set(endpointId, gate);
  return gate;
}
