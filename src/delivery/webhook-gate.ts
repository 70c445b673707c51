import type { QueryCount } from "../platform/data/query-count.ts";
import type { Deps } from "../platform/deps.ts";
import type { WebhookOutcome } from "./webhook.ts";

/** Calls that one invocation keeps open to one endpoint. Workers allow six open connections to all hosts together. */
const MAX_OPEN_CALLS = 2;

interface Gate {
  open: number;
  waiting: (() => void)[];
  isSilent: boolean;
}

/** One map an invocation: an invocation may not wait for another one's calls. */
const gatesOf = new WeakMap<QueryCount, Map<string, Gate>>();

/**
 * Calls an endpoint so that a dead one delays no message to another: at most two calls of an invocation to it are open at
 * once, and after one that got no answer the invocation makes no further call to it. A message that is not sent comes
 * again by its schedule.
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
    if (gate.isSilent) return { state: "failed", reason: "not called: no answer just now" };
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
