import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { type Command, type Option, readArguments, text } from "./arguments.ts";
import { showProgress } from "./progress/progress.ts";

// `node scripts/run.js scripts/tools.ts NAME`: the commands of package.json that run a program of another package, or
// Node's own test runner.

const root = join(import.meta.dirname, "..");
const TSC = join("node_modules", "typescript", "bin", "tsc");
const biome = (...args: string[]) => [join("node_modules", "@biomejs", "biome", "bin", "biome"), ...args];
const tests = (pattern: string) => ({
  operands: "[FILE…]",
  options: { only: text("NAME", "only tests whose name contains this") },
  run: (files: string[], only?: string) => [
    "--disable-warning=ExperimentalWarning",
    "--test",
    ...(only ? [`--test-name-pattern=${only}`] : []),
    ...(files.length > 0 ? files : globSync(pattern, { cwd: root }).sort()),
  ],
});

interface Tool extends Omit<Command<Record<string, Option<string | undefined>>>, "name"> {
  /** Arguments of Node. */
  run(operands: string[], only?: string): string[];
  /** Arguments of a second run of Node, if the first one succeeds. */
  next?: string[];
}

const tools: Readonly<Record<string, Tool>> = {
  types: {
    about: "Writes the types of the bindings and variables of wrangler.toml to worker-configuration.d.ts.",
    run: () => [join("node_modules", "wrangler", "bin", "wrangler.js"), "types", "--strict-vars=false"],
  },
  typecheck: {
    about: "Checks the types of the Worker, the commands, the tests and the staff console.",
    run: () => [TSC],
    next: [TSC, "-b", "console"],
  },
  lint: {
    about: "Checks style and format.",
    operands: "[PATH…]",
    run: (paths) => biome("check", "--error-on-warnings", ...(paths.length > 0 ? paths : ["."])),
  },
  format: {
    about: "Formats, and fixes what the linter can fix.",
    operands: "[PATH…]",
    run: (paths) => biome("check", "--write", ...(paths.length > 0 ? paths : ["."])),
  },
  "test:operations": {
    about: "Tests the commands: deployment, backup and restore, the development server, the documents.",
    ...tests("tests/operations/*.node.ts"),
  },
  "test:browser": {
    about:
      "Tests the development server, pages, apps and the sign-in through both providers in Chromium (CHROMIUM_PATH if it is not in /usr/bin).",
    ...tests("tests/browser/*.browser.ts"),
  },
  "client:test": {
    about:
      "Tests the client package: many people on a bad network (SESSIONS=100 for fewer, SEED=2 for another network), and the packed package.",
    ...tests("client/tests/*.node.ts"),
  },
};

const [name = "", ...args] = process.argv.slice(2);
const tool = tools[name];
if (!tool) throw new Error(`There is no tool ${name}.`);
const { operands, options } = readArguments({ ...tool, name }, args);
showProgress(`running ${name}`);
for (const step of [tool.run(operands, options.only), tool.next ?? []]) {
  if (step.length === 0) continue;
  const { status } = spawnSync(process.execPath, step, {
    cwd: root,
    // The list of types that wrangler prints is in the file that it writes.
    stdio: ["inherit", name === "types" ? "ignore" : "inherit", "inherit"],
  });
  if (status !== 0) process.exit(status ?? 1);
}
