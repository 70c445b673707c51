/** The isolate of our Worker, as workerd names it to the inspector. */
const TARGET = "/core:user:users-api";

/**
 * Has the Worker's isolate collect its garbage, and reads how many bytes are left in its heap: the only figure that tells a leak from
 * an engine that has seen no cause to collect. The server must have been started with `--inspect`.
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
