import type { BindingCall, Fault } from "../support/simulator/scheduler.ts";

/**
 * Disturbance of a trial: a fault at one call; an outage, which loses a call's answer and persists; a lost response; a
 * duplicated message.
 */
export type Kind = Fault | "outage" | "lost-response" | "doubled";

/** One disturbance of a flow. */
export interface Trial {
  /** Number of the call with the fault. */
  at: number;
  kind: Kind;
}

const EVERYWHERE: Kind[] = ["throw-before", "throw-after", "hang-before", "hang-after", "die-before", "die-after"];
const KINDS: Record<BindingCall["binding"], Kind[]> = {
  D1: [...EVERYWHERE, "outage"],
  SEARCH_DB: [...EVERYWHERE, "outage"],
  KV: [...EVERYWHERE, "refuse"],
  R2: [...EVERYWHERE, "refuse", "outage"],
  QUEUE: [...EVERYWHERE, "refuse"],
  RATE_LIMITER: ["throw-before", "hang-before", "die-before", "refuse"],
};

/** All trials of a flow that made these calls. */
export function trialsOf(calls: readonly BindingCall[], beside: Kind | undefined): Trial[] {
  const atCalls = calls.flatMap(({ index: at, binding, operation }) => {
    const kinds: Kind[] = binding === "KV" && operation === "get" ? [...KINDS.KV, "stale"] : KINDS[binding];
    return kinds.map((kind) => ({ at, kind }));
  });
  return beside ? [{ at: -1, kind: beside }, ...atCalls] : atCalls;
}

/**
 * One random trial per call and every outage, because only an outage tests what happens if the second read fails too.
 */
export function sampleOf(trials: readonly Trial[], random: () => number): Trial[] {
  const byCall = [...Map.groupBy(trials, ({ at }) => at).values()];
  const drawn = byCall.map((each) => each[Math.floor(random() * each.length)]).filter((trial) => trial !== undefined);
  return [...new Set([...drawn, ...trials.filter(({ kind }) => kind === "outage")])];
}

/** At most `count` of the items, at even distances. */
export const spread = <T>(items: readonly T[], count: number): T[] => {
  const distance = Math.max(1, items.length / count);
  return items.filter((_, i) => Math.floor(i / distance) !== Math.floor((i - 1) / distance));
};

/** The trial as a fault function of the simulator; `met` is called for every call with a fault. */
export function faultsOf({ at, kind }: Trial, met: (call: BindingCall, fault: Fault) => void) {
  let failed: BindingCall["binding"] | undefined;
  const decide = ({ index, binding }: BindingCall): Fault | undefined => {
    if (kind === "lost-response" || kind === "doubled") return undefined;
    if (kind !== "outage") return index === at ? kind : undefined;
    if (index === at) {
      failed = binding;
      return "throw-after";
    }
    return failed === binding ? "throw-before" : undefined;
  };
  return (call: BindingCall) => {
    const fault = decide(call);
    if (fault !== undefined) met(call, fault);
    return fault;
  };
}
