/** The Worker's isolate, as workerd names it to the inspector. */
const TARGET = "/core:user:users-api";

/**
 * Collects garbage in the Worker's isolate and returns the bytes left in its heap, the only figure that distinguishes a
 * leak from garbage not yet collected. The server must run with `--inspect`.
 */
export async function collectedHeap(inspectorUrl: string): Promise<number> {
  const socket = new WebSocket(new URL(TARGET, inspectorUrl).href);
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", () => reject(new Error("the inspector does not answer")), { once: true });
  });
  let sent = 0;
  const ask = (method: string) =>
    new Promise<{ usedSize?: number }>((resolve) => {
      const id = ++sent;
      socket.addEventListener("message", function onMessage({ data }) {
        const answer = JSON.parse(String(data)) as { id?: number; result?: { usedSize?: number } };
        if (answer.id !== id) return;
        socket.removeEventListener("message", onMessage);
        resolve(answer.result ?? {});
      });
      socket.send(JSON.stringify({ id, method }));
    });
  await ask("HeapProfiler.collectGarbage");
  const { usedSize } = await ask("Runtime.getHeapUsage");
  socket.close();
  if (usedSize === undefined) throw new Error("the inspector does not tell the heap's size");
  return usedSize;
}
