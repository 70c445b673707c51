import { env } from "cloudflare:workers";

const given = env as unknown as Record<string, string | undefined>;

/** The size and seeds of the runs; `npm run fuzz` and `npm run models` set more than `npm test`. */
export const setting = {
  /** Approximate number of requests of the whole fuzz run. */
  requests: Number(given.FUZZ_REQUESTS ?? "700"),
  /** Runs per model. */
  modelRuns: Number(given.MODEL_RUNS ?? "4"),
  seed: Number(given.FUZZ_SEED ?? "20260801"),
  /** fast-check's path to repeat a failure directly. */
  path: given.FUZZ_PATH || undefined,
};

/** Parameters of a property that is checked this number of times. */
export function parameters(numRuns: number) {
  const { seed, path } = setting;
  return { seed, numRuns: Math.max(1, Math.round(numRuns)), includeErrorInReport: true, ...(path ? { path } : {}) };
}
