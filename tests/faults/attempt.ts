import type { Answer } from "../support/client.ts";
import { type CallSite, siteOf } from "../support/simulator/call-sites.ts";
import type { BindingCall, Fault } from "../support/simulator/scheduler.ts";
import type { Simulated, Simulation } from "../support/simulator/simulation.ts";
import type { Flow, Run } from "./flow-table.ts";
import { type Held, heldIn, newSimulation } from "./settle.ts";
import { faultsOf, type Trial } from "./trials.ts";

/** Totals of the fault tests. */
export interface Report {
  flows: number;
  calls: number;
  trials: number;
  faults: number;
  /** Faults injected at each call site. */
  sites: Map<CallSite, Set<Fault>>;
  /** Calls from unknown call sites. */
  strays: Set<string>;
  users: Set<string>;
}

export const newReport = (): Report => ({
  flows: 0,
  calls: 0,
  trials: 0,
  faults: 0,
  sites: new Map(),
  strays: new Set(),
  users: new Set(),
});

/** One run of a flow and the messages that it left in the queues. */
export interface Attempt {
  run: Run;
  trial: Trial | undefined;
  /** Whether the client repeated the call. */
  isRepeated: boolean;
  held: Held[];
}

/** Description of the trial, with the call site if it is known. */
export const nameOf = (trial: Trial | undefined, calls: readonly BindingCall[] = []): string => {
  if (!trial) return "without a fault";
  const call = calls.find(({ index }) => index === trial.at);
  return `${trial.kind} at call ${trial.at}${call ? ` (${siteOf(call) ?? call.binding})` : ""}`;
};

/**
 * Runs a prepared flow once with the trial's fault, and adds to `violations` everything that a client should not have
 * seen.
 */
export async function attempt(
  flow: Flow,
  run: Run,
  trial: Trial | undefined,
  env: Partial<Env>,
  report: Report,
  violations: string[],
): Promise<{ attempt: Attempt; calls: readonly BindingCall[] }> {
  const simulation = newSimulation(run.handler);
  const met = (call: BindingCall, fault: Fault) => {
    report.faults += 1;
    const site = siteOf(call);
    if (site === undefined) report.strays.add(`${call.binding} ${call.operation} in ${flow.name}`);
    else report.sites.set(site, (report.sites.get(site) ?? new Set()).add(fault));
  };
  const place = trial ? { faults: faultsOf(trial, met), env } : { env };
  const again: Held[] = [];
  let isRepeated = false;
  const say = (what: string) => violations.push(`${nameOf(trial, simulation.log)}: ${what}`);
  let calls: readonly BindingCall[] = [];
  try {
    if (run.request) isRepeated = await callUntilAnswered(flow, run, simulation, trial, place, say);
    else if (run.messages) {
      for (const [queue, group] of Map.groupBy(run.messages, (message) => message.queue)) {
        const given = group.map(({ body, attempts = 1 }, i) => ({ id: `${queue}-${i}`, body, attempts }));
        const left = await simulation.hand(queue, given, place);
        if (trial?.kind === "doubled") left.push(...given.filter(({ id }) => left.every((each) => each.id !== id)));
        again.push(...left.map((message) => ({ queue, message })));
      }
      isRepeated = again.length > 0;
    } else await run.work?.(simulation, place);
    const invocation = simulation.log[0]?.invocation;
    calls = simulation.log.filter((call) => call.invocation === invocation);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
  }
  return { attempt: { run, trial, isRepeated, held: [...heldIn(simulation), ...again] }, calls };
}

/** Calls like a phone, repeating the call until there is a usable response; returns whether it was repeated. */
async function callUntilAnswered(
  flow: Flow,
  run: Run,
  simulation: Simulation,
  trial: Trial | undefined,
  place: Parameters<Simulation["call"]>[3],
  say: (what: string) => void,
): Promise<boolean> {
  const { request, success = 200, repeated = [], anew, onSuccess, isFailure } = run;
  const isSuccess = (answer: Simulated): answer is Answer => isAnswer(answer, success) && !isFailure?.(answer);
  if (!request) return false;
  const { method, path } = request;
  const options = { ...request.options, env: { ...place?.env, ...request.options.env } };
  const first = await simulation.call(method, path, options, place);
  const limited = trial?.kind === "refuse" ? [429] : [];
  const expected = [success, ...limited, ...(trial ? (flow.mayAnswer?.(trial.kind) ?? []) : [])];
  if (first !== "died") describeFailures(first, expected, method).forEach(say);
  if (isSuccess(first)) await onSuccess?.(first);
  if (isSuccess(first) && trial?.kind !== "lost-response") return false;
  let last: Simulated = first;
  for (let tries = 0; tries < 3; tries++) {
    const isRefused = last !== "died" && last.status === 400;
    last = await simulation.call(method, path, isRefused && anew ? { ...options, ...(await anew()) } : options);
    if (last === "died") throw new Error("a call without a fault died");
    if (isSuccess(last)) await onSuccess?.(last);
    if ([success, ...repeated].includes(last.status)) return true;
    if (last.status !== 503 && !anew) break;
  }
  say(`the repetition was answered ${last === "died" ? last : `${last.status} ${JSON.stringify(last.body)}`}`);
  return true;
}

const isAnswer = (answer: Simulated, status: number): answer is Answer => answer !== "died" && answer.status === status;

/** Describes unexpected responses: only the given statuses and a well-formed 503 are allowed. */
function describeFailures(answer: Answer, expected: readonly number[], method: string): string[] {
  if (expected.includes(answer.status)) return [];
  const said = `answered ${answer.status} ${JSON.stringify(answer.body)}`;
  if (answer.status !== 503) return [said];
  const { body, headers } = answer;
  const isWhole =
    method === "HEAD"
      ? body === ""
      : body.success === false && body.error?.code === "service_unavailable" && typeof body.request_id === "string";
  const isPolite = Number(headers.get("retry-after")) > 0 && !headers.has("www-authenticate");
  return isWhole && isPolite ? [] : [`${said}, which is not the documented 503`];
}
