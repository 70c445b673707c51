import { env } from "cloudflare:workers";
import type { Answer, CallOptions } from "../support/client.ts";
import { type FetchHandler, type Simulated, Simulation } from "../support/simulator/simulation.ts";

/** Whether the clients send different headers or share a request id or an idempotency key. */
export type Mode = "apart" | "one request id" | "one idempotency key";
export const MODES: Mode[] = ["apart", "one request id", "one idempotency key"];

/**
 * Number of simultaneous clients, a multiple of 20: 20 in `npm test`, which is enough to catch every naive variant, and
 * 100 in `npm run races`.
 */
export const CLIENTS = Number((env as { RACE_CLIENTS?: string }).RACE_CLIENTS ?? "20");

export interface RaceSetting {
  seed: number;
  mode: Mode;
  /** The naive variant; the Worker itself by default. */
  handler?: FetchHandler;
  /** Runs the calls one after another with fresh KV: the control run, in which a naive variant must be correct. */
  isCalm?: boolean;
}

/** Collects the violations of a race; none means that the race passed. */
export class Verdict {
  readonly violations: string[] = [];

  equal(what: string, actual: unknown, expected: unknown): void {
    if (actual !== expected) this.violations.push(`${what}: ${String(actual)}, not ${String(expected)}`);
  }

  atMost(what: string, actual: number, limit: number): void {
    if (actual > limit) this.violations.push(`${what}: ${actual}, more than ${limit}`);
  }
}

export function simulationOf({ seed, handler, isCalm }: RaceSetting): Simulation {
  return new Simulation(seed, handler, isCalm);
}

/** The headers that every client sends in this mode. */
export function headersOf({ mode, seed }: RaceSetting, purpose = "call"): Record<string, string> {
  if (mode === "one request id") return { "X-Request-Id": `race-${seed}` };
  if (mode === "one idempotency key") return { "Idempotency-Key": `key-of-the-race-${purpose}-${seed}` };
  return {};
}

/** The same call `count` times. */
export function times(count: number, path: string, options: CallOptions) {
  return Array.from({ length: count }, () => ({ method: "POST", path, options }));
}

export function answered(results: Simulated[]): Answer[] {
  return results.filter((result) => result !== "died");
}

export function successes(results: Simulated[]): Answer[] {
  return answered(results).filter(({ status }) => status < 300);
}

export function distinct(values: unknown[]): number {
  return new Set(values).size;
}

/** Adds a violation if a response is a 5xx: no dependency fails in a race. */
export function noServerErrors(verdict: Verdict, results: Simulated[]): void {
  verdict.equal("answers of 500 and above", answered(results).filter(({ status }) => status >= 500).length, 0);
}
