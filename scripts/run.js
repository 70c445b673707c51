// `node scripts/run.js FILE [arguments]`: runs a command of package.json. Plain JavaScript, so that a Node that cannot
// run TypeScript says so instead of failing with a syntax error.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [node = "node", , file = "", ...given] = process.argv;
if (!process.features.typescript) {
  console.error(`Node 22.18 or newer is needed; this is ${process.version}.`);
  process.exit(1);
}

// Type stripping and node:sqlite are experimental in Node 22.
process.removeAllListeners("warning");
process.on("warning", (warning) => {
  if (warning.name !== "ExperimentalWarning") console.error(`${warning.name}: ${warning.message}`);
});

await import("./import-hooks.js");
const script = resolve(import.meta.dirname ?? ".", "..", file);
process.argv = [node, script, ...given];
await import(pathToFileURL(script).href);
