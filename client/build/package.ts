import { spawnSync } from "node:child_process";
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { buildSync } from "esbuild";

// `npm pack` in client/ runs this: one JavaScript file and the type declarations, in client/dist.

const client = join(import.meta.dirname, "..");
const dist = join(client, "dist");
rmSync(dist, { recursive: true, force: true });
buildSync({
  entryPoints: [join(client, "src", "index.ts")],
  outfile: join(dist, "index.js"),
  bundle: true,
  format: "esm",
  // What React Native's Hermes and the browsers of the last five years understand.
  target: "es2020",
});
const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
const declared = spawnSync(process.execPath, [compiler, "--project", join(client, "tsconfig.build.json")], {
  encoding: "utf8",
});
if (declared.status !== 0) {
  console.error(declared.stdout, declared.stderr);
  process.exit(1);
}
// The declarations import `.ts` files, which the package does not contain.
for (const path of globSync(join(dist, "*.d.ts"))) {
  writeFileSync(path, readFileSync(path, "utf8").replaceAll(/(["']\.\/\w+)\.ts(["'])/g, "$1.js$2"));
}
