import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildBundle } from "./bundle.ts";
import { cpuWhenIdle } from "./idle.ts";
import { type Server, startServer, varOptions } from "./server-process.ts";
import { benchVars } from "./state.ts";

/** A folder for the databases and bundles of a run, which is removed at its end. */
export function temporaryFolder(name: string): string {
  const home = mkdtempSync(join(tmpdir(), `users-api-${name}-`));
  process.once("exit", () => rmSync(home, { recursive: true, force: true }));
  return home;
}

/** Copies the databases of a folder to `target`, and returns `target`. */
export function copyOf(state: string, target: string): string {
  mkdirSync(target, { recursive: true });
  cpSync(join(state, "v3"), join(target, "v3"), { recursive: true });
  return target;
}

export interface Start {
  /** Folder of the databases. */
  persist: string;
  /** Path of the Worker from the project root; by default the real one. */
  entry?: string;
  config?: string;
  vars?: Record<string, string>;
  /** Further options of `server.ts`. */
  options?: readonly string[];
}

/** Bundles a Worker, starts it and waits until it is idle. Nothing ticks. */
export async function startWorker({
  persist,
  entry = "src/index.ts",
  config = "wrangler.toml",
  vars = {},
  options = [],
}: Start): Promise<Server> {
  const outdir = buildBundle({ entry, config, outdir: join(persist, "bundle") });
  const given = ["--no-cron", "--persist", persist, "--bundle", join(outdir, ".."), "--entry", entry];
  const variables = config === "wrangler.toml" ? { ...benchVars(), ...vars } : vars;
  const server = await startServer([...given, "--config", config, ...options, ...varOptions(variables)]);
  await cpuWhenIdle(server);
  return server;
}
