import type { Deviation } from "../../scripts/docs/deviations.ts";

/** A test: its file and a part of its name or of a `describe`. */
export type Shown = readonly [file: string, name: string];

/** The tests that show that a requirement is met, or the documented deviation if it is met partly or differently. */
export interface Evidence {
  tests?: readonly Shown[];
  deviation?: Deviation;
}

export type SecurityRows = Readonly<Record<string, Evidence>>;

/** Evidence that consists of tests only. */
export const shown = (...tests: Shown[]): Evidence => ({ tests });
