import { expect } from "vitest";
import { type CallOptions, testEnv } from "../support/client.ts";
import type { BindingCall, Fault } from "../support/simulator/scheduler.ts";
import { type Simulated, Simulation } from "../support/simulator/simulation.ts";

export const FAULTS: Fault[] = ["throw-before", "throw-after", "die-before", "die-after"];

/**
 * The faults tried on the nth flow of a table: all with `npm run faults`, and two otherwise, because faults.test.ts
 * tries faults at the same calls.
 */
export const faultsFor = (nth: number): Fault[] =>
  "FAULTS_WHOLE" in testEnv ? FAULTS : nth % 2 === 0 ? ["throw-before", "die-after"] : ["throw-after", "die-before"];

export interface Flow {
  method?: string;
  path: string;
  options: CallOptions;
  success: number;
  /** Status of a repeated call if the first one took effect and its answer was lost; by default success. */
  isDone?: number;
  /** New request after a repeated call was refused, because its credential from a third party works only once. */
  anew?: () => Promise<CallOptions>;
  /** Checks the state once the call was repeated until it was answered. */
  check(answer: Exclude<Simulated, "died">, simulation: Simulation): Promise<void>;
}

/**
 * Injects the fault at the first, second … binding call of the flow, repeats the call as a client would, and checks the
 * outcome.
 */
export async function failAtEachCall(start: () => Promise<Flow>, fault: Fault): Promise<void> {
  for (let at = 0; ; at++) {
    const flow = await start();
    const simulation = new Simulation(at + 1);
    let met = false;
    const faults = ({ index }: BindingCall) => {
      if (index !== at) return undefined;
      met = true;
      return fault;
    };
    const { method = "POST", path, options, success, isDone = success, anew } = flow;
    let answer = await simulation.call(method, path, options, { faults });
    if (answer !== "died") expect([success, 503], `call ${at}`).toContain(answer.status);
    const answered = [success];
    for (let tries = 0; tries < 3 && (answer === "died" || !answered.includes(answer.status)); tries++) {
      const isRefused = answer !== "died" && answer.status === 400;
      answer = await simulation.call(method, path, isRefused && anew ? await anew() : options);
      answered[1] = isDone;
    }
    if (answer === "died") throw new Error("a call without a fault died");
    expect(answered, `call ${at}: ${JSON.stringify(answer.body)}`).toContain(answer.status);
    await flow.check(answer, simulation);
    if (!met) break;
  }
}
