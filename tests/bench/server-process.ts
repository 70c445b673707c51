import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A `server.ts` process. */
export interface Server {
  url: string;
  /** Process id of workerd. */
  pid: number;
  /** Process ids of workerd and of the process that runs Miniflare. */
  pids: readonly number[];
  /** Path of the Worker's log. */
  log: string;
  stop: () => Promise<void>;
}

/** Starts a server and waits until it is ready; `options` are those of `server.ts`. */
export async function startServer(options: readonly string[]): Promise<Server> {
  const script = join(import.meta.dirname, "server.ts");
  const child = spawn(process.execPath, ["--no-warnings", script, ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  // A server that outlives a failed run would keep the databases locked.
  process.once("exit", () => child.kill("SIGTERM"));
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([new Promise<string>((resolve) => lines.once("line", resolve)), ended]);
  if (first === undefined) throw new Error("the server ended before it was up");
  const { url, pid, log } = JSON.parse(first) as { url: string; pid: number; log: string };
  const stop = () => {
    child.kill("SIGTERM");
    return ended;
  };
  return { url, pid, pids: [pid, child.pid ?? pid], log, stop };
}

/** The options that set these variables of a server. */
export function varOptions(vars: Readonly<Record<string, string>>): string[] {
  return Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}=${value}`]);
}
