import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { buildConsole } from "../build-console.ts";
import { showProgress } from "../progress/progress.ts";
import { root } from "./wrangler.ts";

const MAX_KB = { worker: 400, script: 40, style: 5 };

/** Builds the Worker and the staff console, prints their sizes, and says whether none exceeds its limit. */
export function isWithinLimits(): boolean {
  showProgress("building the Worker");
  const out = mkdtempSync(join(tmpdir(), "users-api-bundle-"));
  const wrangler = join(root, "node_modules", "wrangler", "bin", "wrangler.js");
  const args = ["deploy", "--dry-run", "--env", "production", "--outdir", out];
  const built = spawnSync(process.execPath, [wrangler, ...args], { cwd: root, encoding: "utf8" });
  if (built.status !== 0) {
    console.error(built.stdout, built.stderr);
    process.exit(1);
  }
  const gzippedKb = (path: string) => gzipSync(readFileSync(path), { level: 9 }).length / 1024;
  const { script, style } = buildConsole(join(out, "console"));
  const sizes = [
    { name: "Worker bundle", kb: gzippedKb(join(out, "index.js")), limit: MAX_KB.worker },
    { name: "Console script", kb: gzippedKb(script), limit: MAX_KB.script },
    { name: "Console style sheet", kb: gzippedKb(style), limit: MAX_KB.style },
  ];
  rmSync(out, { recursive: true });
  for (const { name, kb, limit } of sizes)
    console.log(`${name}: ${kb.toFixed(1)} KB gzipped; the limit is ${limit} KB`);
  return sizes.every(({ kb, limit }) => kb <= limit);
}
