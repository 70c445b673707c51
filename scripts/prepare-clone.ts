import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

// npm runs this at the end of `npm ci` and `npm install`: the types of the bindings, without which an editor shows errors
// in every file. `npm run types` makes them after `npm ci --ignore-scripts`.

const root = join(import.meta.dirname, "..");
const wrangler = join(root, "node_modules", "wrangler", "bin", "wrangler.js");
// Absent after `npm ci --omit=dev`.
if (existsSync(wrangler)) {
  const args = [wrangler, "types", "--strict-vars=false"];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) console.error("The types of the bindings were not made. Make them with: npm run types");
}
