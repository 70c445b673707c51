import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { awaitOutput } from "../../scripts/await-output.ts";

/** How long a server may take to start on a busy machine. */
const START_MS = 300_000;

/** `npm run dev:social` uses its port and the four that follow. */
const PORTS = 5;

/** Returns the first of `count` consecutive ports that are free. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = await portFrom(0);
    if (first === undefined) throw new Error("no port");
    const others = Array.from({ length: count - 1 }, (_, i) => portFrom(first + 1 + i));
    if ((await Promise.all(others)).every((port) => port !== undefined)) return first;
  }
}

/** The port if it is free, or any free port for 0; undefined if it is taken. */
async function portFrom(port: number): Promise<number | undefined> {
  if (port > 65_535) return undefined;
  const probe = createServer();
  const isFree = await new Promise<boolean>((resolve) => {
    probe.once("listening", () => resolve(true)).once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1");
  });
  if (!isFree) return undefined;
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return address !== null && typeof address === "object" ? address.port : undefined;
}

/**
 * Starts the script of `npm run dev`, or another one, with databases in `state`, and returns its address once it
 * responds.
 */
export async function startDevServer(
  script = "dev.ts",
  state = mkdtempSync(join(tmpdir(), "users-api-")),
): Promise<{ base: string; port: number; stop(): Promise<void> }> {
  const port = await freePorts(PORTS);
  const server = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "..", "..", "scripts", script)],
    {
      env: { ...process.env, PORT: String(port), PERSIST_TO: state },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  await awaitOutput(server, /Users API is running\./, START_MS);
  return {
    base: `http://localhost:${port}`,
    port,
    async stop() {
      const stopped = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGTERM");
      await stopped;
      rmSync(state, { recursive: true, force: true });
    },
  };
}
