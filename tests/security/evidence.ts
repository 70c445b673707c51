import type { Deviation } from "../../scripts/docs/deviations.ts";

/** A test by its file and a part of its name; a `describe` counts. */
export type Shown = readonly [file: string, name: string];

/** The tests that show that a requirement is met, or the deviation that says how it is met in part or in another way. */
export interface Evidence {
  tests?: readonly Shown[];
  deviation?: Deviation;
}

export type SecurityRows = Readonly<Record<string, Evidence>>;

/** Evidence by tests alone. */
export const shown = (...tests: Shown[]): Evidence => ({ tests });
