/** A test by its file and a part of its name; a `describe` counts. */
export type Shown = readonly [file: string, name: string];

/** What shows that a requirement is met; or, where it is met in part or otherwise, the README's words about that. */
export interface Evidence {
  tests?: readonly Shown[];
  /** Words of the README. */
  readme?: string;
}

export type SecurityRows = Readonly<Record<string, Evidence>>;

/** Evidence by tests alone. */
export const shown = (...tests: Shown[]): Evidence => ({ tests });
