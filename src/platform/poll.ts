/** How often the condition is checked, in milliseconds. */
const INTERVAL_MS = 10;

/**
 * Waits for work of another invocation of this isolate by polling with the caller's own timer. Invocations may share
 * plain state but never a promise: if an invocation is cut off, for example because its client left, workerd does not
 * settle its promises, and it cancels the invocations that await them with "The Workers runtime canceled this
 * request".
 *
 * @returns whether the condition holds; false when the deadline is over.
 */
export async function pollUntil(isTrue: () => boolean, deadlineMs: number): Promise<boolean> {
  for (let waited = 0; !isTrue() && waited < deadlineMs; waited += INTERVAL_MS) {
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
  return isTrue();
}
