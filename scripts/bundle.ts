import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

// `npm run bundle`: builds the production bundle and fails if it exceeds its size limit.

const MAX_GZIP_BYTES = 300 * 1024;

const root = join(import.meta.dirname, "..");
const out = mkdtempSync(join(tmpdir(), "users-api-bundle-"));
const wrangler = join(root, "node_modules", "wrangler", "bin", "wrangler.js");
const args = ["deploy", "--dry-run", "--env", "production", "--outdir", out];
const built = spawnSync(process.execPath, [wrangler, ...args], { cwd: root, encoding: "utf8" });
if (built.status !== 0) {
  console.error(built.stdout, built.stderr);
  process.exit(1);
}
const bytes = gzipSync(readFileSync(join(out, "index.js")), { level: 9 }).length;
rmSync(out, { recursive: true });
console.log(`Worker bundle: ${Math.round(bytes / 1024)} KB gzipped; the limit is ${MAX_GZIP_BYTES / 1024} KB`);
process.exit(bytes <= MAX_GZIP_BYTES ? 0 : 1);
