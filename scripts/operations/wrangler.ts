import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** What a call of wrangler came to; `output` is both streams, for people. */
export interface WranglerResult {
  ok: boolean;
  stdout: string;
  output: string;
}

/** Calls wrangler; `input` is its standard input, which is otherwise closed, so that it asks nothing. */
export type Wrangler = (args: readonly string[], input?: string) => WranglerResult;

export const root = join(import.meta.dirname, "..", "..");

/** The command-line script of the pinned wrangler. */
const WRANGLER = join(root, "node_modules", "wrangler", "bin", "wrangler.js");

/** Runs wrangler as a process of its own; `script` may be another that takes its arguments. */
export function wranglerIn(cwd: string, script = WRANGLER, extra: NodeJS.ProcessEnv = {}): Wrangler {
  return (args, input) => {
    const { status, stdout, stderr, error } = spawnSync(process.execPath, [script, ...args], {
      cwd,
      // CI: take every default instead of asking. The output is read, so without colours.
      env: { ...process.env, CI: "1", NO_COLOR: "1", FORCE_COLOR: "0", ...extra },
      encoding: "utf8",
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      ...(input === undefined ? {} : { input }),
      maxBuffer: 1024 * 1024 * 1024,
    });
    return { ok: status === 0, stdout, output: `${stdout}${stderr}${error ?? ""}`.trim() };
  };
}

/** The JSON in an output that may have other lines before it. */
export function readJsonOutput(text: string): unknown {
  const start = text.search(/^[[{]/m);
  if (start < 0) throw new Error(`no JSON in the answer of wrangler:\n${text}`);
  return JSON.parse(text.slice(start));
}
