import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "../../scripts/operations/wrangler.ts";

/** Runs a file of `scripts` until it ends; `output` is both streams. */
export function runScript(name: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const command = ["--disable-warning=ExperimentalWarning", join(root, "scripts", name), ...args];
  const env = { ...process.env, ...environment };
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: root, env, encoding: "utf8" });
  return { status, stdout, stderr, output: stdout + stderr };
}
