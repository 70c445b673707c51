/** How often the condition is checked, in milliseconds. */
const INTERVAL_MS = 10;

/**
 * Waits for work of another invocation of this isolate, by the caller's own timer. Invocations must share plain state and
 * never a promise: workerd does not settle the promises of an invocation that was cut off, for example because its client
 * left, and ends those that await them with "The Workers runtime canceled this request".
 *
 * @returns whether the condition holds; false when the deadline is over.
 */
export async function pollUntil(isTrue: () => boolean, deadlineMs: number): Promise<boolean> {
  for (let waited = 0; !isTrue() && waited < deadlineMs; waited += INTERVAL_MS) {
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
  return isTrue();
}
