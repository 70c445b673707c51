/** What the flows need besides a generated client. */
export interface Setting {
  /** Base URL of the validating proxy. */
  proxy: string;
  /** Reads the newest code that was sent to the identifier. */
  readCode(identifier: string): Promise<string>;
  newIdentifier(): string;
  document(): Blob;
}

/** The value; throws if there is none. */
export function required<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new Error(`no ${what}`);
  return value;
}

/** The data of a response; throws with its error otherwise. */
export function dataOf<T>({ data, error }: { data?: { data: T } | undefined; error?: unknown }, what: string): T {
  if (error !== undefined) throw new Error(`${what}: ${JSON.stringify(error)}`);
  return required(data, what).data;
}

export function expectEqual(found: unknown, expected: unknown): void {
  if (found !== expected) throw new Error(`expected ${String(expected)}, found ${String(found)}`);
}
