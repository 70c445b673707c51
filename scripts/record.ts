import { spawn } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { asksForHelp, readArguments } from "./arguments.ts";

const RECORDABLE = ["bench", "bench:peer", "bench:staff", "bench:deletion", "bench:restore", "load"];

const root = join(import.meta.dirname, "..");
const [, ...args] = process.argv.slice(2);
const { operands, refuse } = readArguments(
  {
    name: "record",
    about:
      "Runs a benchmark or the load with its own options, and writes what it prints to docs/benchmarks/DATE-NAME.md.",
    operands: "NAME",
    notes: [`NAME is one of: ${RECORDABLE.join(", ")}.`],
  },
  process.argv.slice(2, 3),
);
const [name = refuse("Name the benchmark.")] = operands;
if (!RECORDABLE.includes(name)) refuse(`Unknown benchmark: ${name}`);

const child = spawn("npm", ["run", "-s", name, "--", ...args], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
const printed: Buffer[] = [];
child.stdout.on("data", (chunk: Buffer) => {
  printed.push(chunk);
  process.stdout.write(chunk);
});
const status = await new Promise<number>((resolve) => child.on("close", (code) => resolve(code ?? 1)));

// The usage of a benchmark is no result.
if (asksForHelp(args)) process.exit(status);
if (printed.length === 0) {
  console.error(`${name} printed nothing, so nothing is recorded.`);
  process.exit(status || 1);
}

const date = new Date().toISOString().slice(0, 10);
const command = ["npm run", name, ...(args.length > 0 ? ["--", ...args] : [])].join(" ");
const [processor] = cpus();
const page = [
  `# ${date}: ${name}`,
  "",
  `\`${command}\` on ${cpus().length} cores (${processor?.model ?? "unknown"}), Node ${process.version}. Exit status ${status}.`,
  "",
  Buffer.concat(printed).toString().trim(),
  "",
];
const folder = join(root, "docs", "benchmarks");
const file = `${date}-${name.replace(":", "-")}.md`;
if (status !== 0 && existsSync(join(folder, file))) {
  console.error(`${name} failed, so docs/benchmarks/${file} stays as it was.`);
  process.exit(status);
}
writeFileSync(join(folder, file), page.join("\n"));
const results = readdirSync(folder).filter((each) => /^\d/.test(each));
const index = results
  .sort()
  .reverse()
  .map((each) => `- [${each.replace(".md", "")}](${each})`);
const about =
  "`npm run record -- NAME` writes a page for each day and each benchmark, the load included, and this list.";
writeFileSync(join(folder, "README.md"), ["# Benchmarks", "", about, "", ...index, ""].join("\n"));
console.log(`wrote docs/benchmarks/${file}`);
process.exit(status);
