import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/**
 * Starts the script of `npm run dev`, or another one, with databases in `state`, and returns its address once it
 * responds.
 */
export async function startDevServer(
  script = "dev.ts",
  state = mkdtempSync(join(tmpdir(), "users-api-")),
): Promise<{ base: string; port: number; stop(): Promise<void> }> {
  const port = await freePort();
  const server = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "..", "..", "scripts", script)],
    {
      env: { ...process.env, PORT: String(port), PERSIST_TO: state },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  await new Promise<void>((resolve, reject) => {
    let printed = "";
    server.stdout.on("data", (chunk) => {
      printed += chunk;
      if (printed.includes("Users API is running.")) resolve();
    });
    server.once("exit", () => reject(new Error(`the server did not start:\n${printed}`)));
  });
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
