import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** The result of a wrangler command; `output` is both streams, for people. */
export interface WranglerResult {
  ok: boolean;
  stdout: string;
  output: string;
}

/** Runs wrangler. `input` is its standard input; without it the input is closed, so that wrangler asks no questions. */
export type Wrangler = (args: readonly string[], input?: string) => WranglerResult;

export const root = join(import.meta.dirname, "..", "..");

/** The command-line script of the pinned wrangler. */
const WRANGLER = join(root, "node_modules", "wrangler", "bin", "wrangler.js");

/** Runs wrangler as a child process; `script` may be a stand-in with the same arguments. */
export function wranglerIn(cwd: string, script = WRANGLER, extra: NodeJS.ProcessEnv = {}): Wrangler {
  return (args, input) => {
    const { status, stdout, stderr, error } = spawnSync(process.execPath, [script, ...args], {
      cwd,
      // CI makes wrangler use defaults instead of asking. The output is parsed, so colors are off.
      env: { ...process.env, CI: "1", NO_COLOR: "1", FORCE_COLOR: "0", ...extra },
      encoding: "utf8",
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      ...(input === undefined ? {} : { input }),
      maxBuffer: 1024 * 1024 * 1024,
    });
    return { ok: status === 0, stdout, output: `${stdout}${stderr}${error ?? ""}`.trim() };
  };
}

/** Parses the JSON of an output that may start with other lines. */
export function readJsonOutput(text: string): unknown {
  const start = text.search(/^[[{]/m);
  if (start < 0) throw new Error(`wrangler's output contains no JSON:\n${text}`);
  return JSON.parse(text.slice(start));
}
