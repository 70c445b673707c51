/** A file: a Blob or File, or in React Native what a picker gives. */
export type Upload = Blob | { uri: string; name: string; type: string };

/** A form of texts and files; members that are undefined or null are left out. */
export function formOf(fields: Readonly<Record<string, unknown>>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    // React Native's FormData takes its own kind of file, which no type declaration knows.
    form.append(name, (typeof value === "object" ? value : String(value)) as Blob);
  }
  return form;
}

const ids = new WeakMap<object, number>();
let last = 0;

/**
 * Whether the value is an object literal or an array. These are compared by content, because apps create React Native's
 * file objects anew for each call.
 */
const isPlain = (value: object) => [Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value));

/** The body as text in which a Blob is represented by a number of its own, so that the same call can be recognised. */
export function fingerprint(body: unknown): string {
  return JSON.stringify(body ?? null, (_, value) => {
    if (typeof value !== "object" || value === null || isPlain(value)) return value;
    const id = ids.get(value) ?? ++last;
    ids.set(value, id);
    return id;
  });
}
