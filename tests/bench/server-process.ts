import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A server of `server.ts` in a process of its own. */
export interface Server {
  url: string;
  /** Of workerd. */
  pid: number;
  stop: () => Promise<void>;
}

/** Starts a server and waits until it is up; `options` are those of `server.ts`. */
export async function startServer(options: readonly string[]): Promise<Server> {
  const script = join(import.meta.dirname, "server.ts");
  const child = spawn(process.execPath, ["--no-warnings", script, ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  // One that outlives a run that failed would hold its databases.
  process.once("exit", () => child.kill("SIGTERM"));
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([new Promise<string>((resolve) => lines.once("line", resolve)), ended]);
  if (first === undefined) throw new Error("the server ended before it was up");
  const { url, pid } = JSON.parse(first) as { url: string; pid: number };
  const stop = () => {
    child.kill("SIGTERM");
    return ended;
  };
  return { url, pid, stop };
}

/** The options that give a server these variables. */
export function varOptions(vars: Readonly<Record<string, string>>): string[] {
  return Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}=${value}`]);
}
