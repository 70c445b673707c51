import { env } from "cloudflare:workers";

const given = env as unknown as Record<string, string | undefined>;

/** How much to do, and by which numbers: `npm run fuzz` and `npm run models` say more than the slice of `npm test`. */
export const setting = {
  /** Requests of the whole fuzz, about. */
  requests: Number(given.FUZZ_REQUESTS ?? "700"),
  /** Runs of each model. */
  modelRuns: Number(given.MODEL_RUNS ?? "6"),
  seed: Number(given.FUZZ_SEED ?? "20260801"),
  /** Of fast-check, to go straight to a failure. */
  path: given.FUZZ_PATH || undefined,
};

/** Parameters of a property that is checked so many times. */
export function parameters(numRuns: number) {
  const { seed, path } = setting;
  return { seed, numRuns: Math.max(1, Math.round(numRuns)), includeErrorInReport: true, ...(path ? { path } : {}) };
}
