import { env } from "cloudflare:workers";
import type { Answer, CallOptions } from "../support/client.ts";
import { type FetchHandler, type Simulated, Simulation } from "../support/simulator/simulation.ts";

/** How the hundred clients look to the Worker: each its own, or all alike in a header that must decide nothing more. */
export type Mode = "apart" | "one request id" | "one idempotency key";
export const MODES: Mode[] = ["apart", "one request id", "one idempotency key"];

export const CLIENTS = 100;

export interface RaceSetting {
  seed: number;
  mode: Mode;
  /** The naive variant, or the Worker itself where absent. */
  handler?: FetchHandler;
  /** No interleaving and a fresh KV: the control on which a naive variant must be right. */
  isCalm?: boolean;
}

/** Counts what a race left behind and collects what it should not have; an empty list is a race that held. */
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

/** The headers that the mode gives every client. */
export function headersOf({ mode, seed }: RaceSetting, purpose = "call"): Record<string, string> {
  if (mode === "one request id") return { "X-Request-Id": `race-${seed}` };
  if (mode === "one idempotency key") return { "Idempotency-Key": `key-of-the-race-${purpose}-${seed}` };
  return {};
}

/** The same call once for each client. */
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

export async function count(sql: string, ...values: unknown[]): Promise<number> {
  return (
    (await env.DB.prepare(`select count(*) as n ${sql}`)
      .bind(...values)
      .first<number>("n")) ?? 0
  );
}

/** No answer of a race may be a 5xx, and none but a lost dependency makes one. */
export function noServerErrors(verdict: Verdict, results: Simulated[]): void {
  verdict.equal("answers of 500 and above", answered(results).filter(({ status }) => status >= 500).length, 0);
}
