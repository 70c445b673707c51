import { isDeepStrictEqual } from "node:util";
import { findOrphans, findViolations, footprintOf, usersIn } from "../support/invariants.ts";
import { type Attempt, attempt, nameOf, type Report } from "./attempt.ts";
import type { Flow } from "./flow-table.ts";
import { settle } from "./settle.ts";
import { type Trial, trialsOf } from "./trials.ts";

/** Number of trials whose queued work is completed together. */
const GROUP = 30;

type Footprint = Record<string, number>;

/**
 * Runs the flow without a fault, then once per trial, each time with its own users. Lets the queues and three cron
 * ticks finish the work, and returns deviations from the run without a fault and violated invariants.
 */
export async function runFlow(flow: Flow, choose: (trials: Trial[]) => Trial[], report: Report): Promise<string[]> {
  const { env = {}, prepare } = await flow.open();
  const violations: string[] = [];
  const undisturbed = await prepare();
  const before = await footprintOf(undisturbed.scope);
  const first = await attempt(flow, undisturbed, undefined, env, report, violations);
  const { request, messages } = first.attempt.run;
  const trials = choose(trialsOf(first.calls, request ? "lost-response" : messages ? "doubled" : undefined));
  const wanted = await finish([first.attempt]);
  // A flow without effect would pass under any fault.
  if (!isDeepStrictEqual(before, wanted) === (flow.changesNothing ?? false)) {
    violations.push(`without a fault: ${JSON.stringify(before)} became ${JSON.stringify(wanted)}`);
  }

  for (let at = 0; at < trials.length; at += flow.isAlone ? 1 : GROUP) {
    const attempts: Attempt[] = [];
    for (const trial of trials.slice(at, at + (flow.isAlone ? 1 : GROUP))) {
      attempts.push((await attempt(flow, await prepare(), trial, env, report, violations)).attempt);
    }
    await finish(attempts, wanted);
  }
  report.flows += 1;
  report.calls += first.calls.length;
  report.trials += trials.length;
  return violations.map((violation) => `${flow.name}: ${violation}`);

  /** Completes all queued work, compares the attempts and returns the footprint of the first. */
  async function finish(attempts: Attempt[], expected?: Footprint): Promise<Footprint> {
    violations.push(
      ...(await settle(
        flow,
        attempts.flatMap(({ held }) => held),
        env,
        expected !== undefined,
      )),
    );
    const footprint = expected ?? (await footprintOf(attempts[0]?.run.scope ?? {}));
    violations.push(...(await compare(flow, attempts, footprint, report)));
    return footprint;
  }
}

/** Compares each attempt with the one without a fault. */
async function compare(flow: Flow, attempts: readonly Attempt[], wanted: Footprint, report: Report): Promise<string[]> {
  const found: string[] = [];
  for (const { run, trial, isRepeated } of attempts) {
    const addViolation = (what: string) => found.push(`${nameOf(trial)}: ${what}`);
    for (const user of await usersIn(run.scope)) report.users.add(user);
    const footprint = await footprintOf(run.scope);
    const labels = [...new Set([...Object.keys(wanted), ...Object.keys(footprint)])];
    for (const label of labels) {
      const [n, of] = [footprint[label] ?? 0, wanted[label] ?? 0];
      if (n === of || (isRepeated && n > of && flow.mayRepeat?.test(label))) continue;
      if (isRepeated && flow.mayLack && n === 0) continue;
      addViolation(`${n} of "${label}" instead of ${of}`);
    }
    (await findViolations(run.scope)).forEach(addViolation);
    if (flow.isSwept) (await findOrphans(await usersIn(run.scope))).forEach(addViolation);
    await run
      .afterwards?.()
      .catch((error: unknown) => addViolation(error instanceof Error ? error.message : String(error)));
  }
  return found;
}
