import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, extname, join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

/** wrangler's command line, to be run by this Node. */
export const wrangler = join(root, "node_modules", "wrangler", "bin", "wrangler.js");

/**
 * Bundles and minifies a Worker as a deployment does, into `outdir` (by default a new folder), and returns the path of
 * its module.
 *
 * @param entry path of the Worker from the project root; by default the real one
 * @param config path of its configuration from the project root
 */
export function buildBundle({ entry = "src/index.ts", config = "wrangler.toml", outdir = newFolder() } = {}): string {
  const args = ["deploy", entry, "--config", config, "--dry-run", "--minify", "--env=", "--outdir", outdir];
  const built = spawnSync(process.execPath, [wrangler, ...args], { cwd: root, encoding: "utf8" });
  if (built.status !== 0) throw new Error(`${built.stdout}${built.stderr}`);
  return bundleIn(outdir, entry);
}

/** The module that `buildBundle` wrote to a folder. */
export const bundleIn = (outdir: string, entry = "src/index.ts") =>
  join(outdir, `${basename(entry, extname(entry))}.js`);

const newFolder = () => mkdtempSync(join(tmpdir(), "users-api-bundle-"));
