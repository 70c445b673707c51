import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { buildSync } from "esbuild";
import phoneRules from "libphonenumber-js/max/metadata";
import { buildConsole } from "./build-console.ts";
import { writeChanged } from "./write-changed.ts";

// Copies the two swagger-ui files that the documentation page loads from its own origin, and builds the example app of
// the client package, whose routes exist in development alone, and the staff console. Writes the rules of phone numbers
// for build/phone-numbers.js.

const root = join(import.meta.dirname, "..");
const assets = join(root, "dist", "assets");
const from = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
const to = join(assets, "api", "docs");
for (const file of ["swagger-ui.css", "swagger-ui-bundle.js"]) copy(join(from, file), join(to, file));

const example = join(assets, "example");
copy(join(root, "client", "example", "index.html"), join(example, "index.html"));
const { outputFiles } = buildSync({
  entryPoints: [join(root, "client", "example", "main.ts")],
  outfile: join(example, "main.js"),
  bundle: true,
  format: "esm",
  target: "es2022",
  write: false,
});
for (const { path, contents } of outputFiles) writeChanged(path, contents);

buildConsole(join(assets, "console"));

// A module that exports JSON as text.
writeChanged(join(root, "dist", "phone-rules.js"), `export default ${JSON.stringify(JSON.stringify(phoneRules))};\n`);

function copy(source: string, target: string): void {
  writeChanged(target, readFileSync(source));
}
