import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { createServer } from "node:net";
import { availableParallelism } from "node:os";
import { delimiter, dirname, join, relative } from "node:path";
import { test } from "node:test";
import {
  choice,
  count,
  flag,
  parseArguments,
  positive,
  text,
  texts,
  UsageError,
  usageOf,
} from "../../scripts/arguments.ts";
import { passedOn, vitestArguments, vitestOptions } from "../../scripts/vitest-options.ts";
import { freePorts } from "../browser/dev-server.ts";

const root = join(import.meta.dirname, "..", "..");
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> };
/** Scripts that people call; npm runs the others by itself. */
const commands = Object.keys(scripts).filter((name) => !/^(pre|post)/.test(name));

/** How long a command may take to read its arguments on a busy machine. */
const PATIENCE_MS = 60_000;

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a script of package.json with these arguments, as `npm run` does. */
function run(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const bin = join(root, "node_modules", ".bin");
  const child = spawn("sh", ["-c", `${scripts[name]} "$@"`, "sh", ...args], {
    cwd: root,
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, because the command may have started others.
    detached: true,
  });
  // A command that begins its work instead of refusing is ended.
  const patience = setTimeout(() => child.pid && process.kill(-child.pid, "SIGTERM"), PATIENCE_MS);
  const ended: Ended = { code: null, stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => {
    ended.stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    ended.stderr += chunk;
  });
  return new Promise((resolve) =>
    child.once("close", (code) => {
      clearTimeout(patience);
      resolve({ ...ended, code });
    }),
  );
}

const helps = new Map<string, Promise<Ended>>();

/** What the command does for `--help`; it is started once. */
function help(name: string): Promise<Ended> {
  const ended = helps.get(name) ?? run(name, ["--help"]);
  helps.set(name, ended);
  return ended;
}

/** Runs `work` for every command, a few at a time, and returns the complaints. */
async function complaintsOf(names: readonly string[], work: (name: string) => Promise<string | undefined>) {
  const found: string[] = [];
  const waiting = [...names];
  const next = async () => {
    for (let name = waiting.shift(); name; name = waiting.shift()) {
      const complaint = await work(name);
      if (complaint) found.push(`${name}: ${complaint}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, next));
  return found.sort();
}

const isUsage = (name: string, printed: string) =>
  printed.includes(`Usage: ${name === "test" ? "npm test" : `npm run ${name}`} `) &&
  /^\s+-h, --help {2}/m.test(printed);

test("every command prints its usage for --help, and does nothing else", async () => {
  const found = await complaintsOf(commands, async (name) => {
    const { code, stdout, stderr } = await help(name);
    return code === 0 && isUsage(name, stdout) && stderr === "" ? undefined : `${code} ${stdout} ${stderr}`;
  });
  assert.deepEqual(found, []);
});

test("every command refuses an option that it does not know, with its usage", async () => {
  const found = await complaintsOf(commands, async (name) => {
    const { code, stdout, stderr } = await run(name, ["--no-such-option"]);
    const isRefusal = code === 2 && isUsage(name, stderr) && stderr.includes("--no-such-option") && stdout === "";
    return isRefusal && !/^\s+at /m.test(stderr) ? undefined : `${code} ${stdout} ${stderr}`;
  });
  assert.deepEqual(found, []);
});

/** Arguments that a command must refuse, by its usage: an invalid number, an empty value, or too many operands. */
function malformed(usage: string): string[] {
  const [, option] = /^ +(?:-\w, )?(--[\w.-]+) (?:N|COUNT|NUMBER|MS|MINUTES|RATE|SECONDS|DAY|URL) /m.exec(usage) ?? [];
  if (option) return [option, "x"];
  const [, anyText] = /^ +(?:-\w, )?(--[\w.-]+) [A-Z]/m.exec(usage) ?? [];
  return anyText ? [anyText, ""] : ["one", "two", "three"];
}

/** Commands whose only arguments are any number of paths, which are looked for later. */
const TAKE_PATHS = ["lint", "format", "plans"];

test("every command refuses a malformed value, with its usage", async () => {
  const names = commands.filter((name) => !TAKE_PATHS.includes(name));
  const found = await complaintsOf(names, async (name) => {
    const args = malformed((await help(name)).stdout);
    const { code, stdout, stderr } = await run(name, args);
    const isRefusal = code === 2 && isUsage(name, stderr) && stdout === "" && !/^\s+at /m.test(stderr);
    return isRefusal ? undefined : `${args.join(" ")}: ${code} ${stdout} ${stderr}`;
  });
  assert.deepEqual(found, []);
});

test("npm run record shows the usage of a benchmark without recording it", async () => {
  const pages = () => readdirSync(join(root, "docs", "benchmarks"));
  const before = pages();
  const { code, stdout } = await run("record", ["bench", "--help"]);
  assert.equal(code, 0);
  assert.ok(isUsage("bench", stdout), stdout);
  assert.deepEqual(pages(), before);
});

test("npm run plans fails and says so if the tests fail", async () => {
  const { code, stdout, stderr } = await run("plans", ["tests/no-such-file.test.ts"]);
  assert.equal(code, 1, stdout);
  assert.match(stderr, /^The tests failed \(exit status 1\), so statements may be missing\./m);
});

test("commands that use the local server refuse a PORT that is not a port number", async () => {
  // All read it by the same function, so one of them shows its bounds.
  const cases = { dev: ["x", "0", "65532"], "dev:social": ["x"], walkthrough: ["65532"], tasks: ["0"] };
  const found = await complaintsOf(Object.keys(cases), async (name) => {
    for (const PORT of cases[name as keyof typeof cases]) {
      const { code, stderr } = await run(name, [], { PORT });
      if (code !== 2 || !/^PORT must be a port number/.test(stderr)) return `${PORT}: ${code} ${stderr}`;
    }
  });
  assert.deepEqual(found, []);
});

test("commands that listen refuse a HOST that is not an address", async () => {
  for (const name of ["dev", "dev:social"]) {
    const { code, stderr } = await run(name, [], { HOST: "localhost" });
    assert.deepEqual([code, stderr], [2, "HOST must be an IPv4 address, such as 0.0.0.0, not localhost.\n"], name);
  }
});

test("npm run dev:social says which of its five ports is in use", async () => {
  const first = await freePorts(5);
  for (const port of [first + 2, first + 3, first + 4]) {
    const other = createServer().listen(port, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { code, stderr } = await run("dev:social", [], { PORT: String(first) });
    other.close();
    assert.equal(code, 1, stderr);
    assert.match(stderr, new RegExp(`^Port ${port} is in use\\. .* npm run dev:social\\n$`));
  }
});

test("npm run doctor names a configuration that is missing", async () => {
  const { code, stderr } = await run("doctor", ["--config", "no-such-file.toml"]);
  assert.equal(code, 1);
  assert.match(stderr, /no-such-file\.toml/);
  assert.doesNotMatch(stderr, /^\s+at /m);
});

/** Modules that a file loads before its first statement runs: what is left of its imports without the types. */
function importsOf(file: string): string[] {
  const code = stripTypeScriptTypes(readFileSync(file, "utf8"));
  const imports = code.matchAll(/^(?:import|export)\b[^"';]*?\bfrom\s*"([^"]+)"|^import\s*"([^"]+)"/gm);
  return [...imports].map(([, from, alone]) => from ?? alone ?? "");
}

/** Packages that a file loads before its first statement runs, each with the files in between. */
function packagesOf(file: string, path: readonly string[] = [], seen = new Set<string>()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const here = [...path, relative(root, file)];
  return importsOf(file).flatMap((to) => {
    if (to.startsWith("node:")) return [];
    if (!to.startsWith(".")) return [[...here, to].join(" > ")];
    const next = join(dirname(file), to);
    // A text that a file writes may look like its imports; what it names is not there.
    return existsSync(next) ? packagesOf(next, here, seen) : [];
  });
}

test("a command reads its arguments before it loads a package", () => {
  const files = Object.values(scripts).map((each) => /^node scripts\/run\.js (\S+)/.exec(each)?.[1] ?? each);
  assert.deepEqual(
    [...new Set(files)].flatMap((file) => packagesOf(join(root, file))),
    [],
  );
  // The walk finds packages, also behind several files.
  const work = packagesOf(join(root, "scripts", "dev", "serve.ts"));
  assert.ok(work.includes("scripts/dev/serve.ts > scripts/dev/settings.ts > wrangler"), work.join("\n"));
});

const command = {
  name: "example",
  about: "Shows something.",
  operands: "FILE",
  most: 1,
  options: {
    loud: flag("say it loudly"),
    times: count("N", "how often", { default: 1, max: 9 }),
    wait: positive("SECONDS", "how long"),
    tone: choice("TONE", "how", ["high", "low"], { default: "low" }),
    to: texts("NAME", "to whom"),
    note: text("TEXT", "what else"),
  },
};
const read = (...args: string[]) => parseArguments(command, args);

test("arguments are read by their declaration, with defaults", () => {
  assert.deepEqual(read(), {
    options: { loud: false, times: 1, wait: undefined, tone: "low", to: [], note: undefined },
    operands: [],
  });
  const given = ["a", "--loud", "--times=9", "--wait", "0.5", "--tone", "high", "--to", "b", "--to=c", "--note", "d"];
  assert.deepEqual(read(...given), {
    options: { loud: true, times: 9, wait: 0.5, tone: "high", to: ["b", "c"], note: "d" },
    operands: ["a"],
  });
  assert.equal(read("--times", "2", "--times", "3").options.times, 3);
});

test("a malformed, missing or unknown argument is refused in a sentence", () => {
  const cases: [string[], RegExp][] = [
    [["--times", "0"], /^--times takes a whole number from 1 to 9, not "0"\.$/],
    [["--times", "10"], /not "10"/],
    [["--times", "1e0"], /not "1e0"/],
    [["--times", ""], /^--times takes a value\.$/],
    [["--times"], /--times/],
    [["--wait", "0"], /^--wait takes a number above 0, not "0"\.$/],
    [["--wait", "x"], /not "x"/],
    [["--tone", "flat"], /^--tone takes high or low, not "flat"\.$/],
    [["--note", ""], /^--note takes a value\.$/],
    [["--loud=yes"], /--loud/],
    [["--lou"], /--lou/],
    [["a", "b"], /^Unexpected argument: b$/],
  ];
  for (const [args, message] of cases) {
    assert.throws(
      () => read(...args),
      (error) => error instanceof UsageError && message.test(error.message),
      args.join(" "),
    );
  }
});

test("npm test passes its options and those of vitest on to the command that runs the tests", () => {
  const tests = { ...vitestOptions, name: "test:unit", about: "Runs tests.", operands: "[FILE…]" };
  const given = parseArguments(tests, [
    "a.test.ts",
    "-t",
    "a name",
    "--reporter",
    "dot",
    "--",
    "--inspect",
    "b.test.ts",
  ]);
  const unit = { ...tests, options: { ...tests.options, operations: flag("also those of the commands") } };
  const { options, operands } = parseArguments(unit, ["--operations", ...passedOn(given.options, given.operands)]);
  const { operations, ...own } = options;
  assert.ok(operations);
  assert.deepEqual(vitestArguments(own, operands), {
    options: ["--testNamePattern=a name", "--reporter=dot", "--inspect"],
    filters: ["a.test.ts", "b.test.ts"],
  });
  assert.deepEqual(passedOn({}, []), []);
});

test("the usage shows every option with its placeholder, meaning and default", () => {
  assert.equal(
    usageOf(command),
    `Usage: npm run example -- FILE [options]

Shows something.

  --loud          say it loudly
  --times N       how often (default: 1)
  --wait SECONDS  how long
  --tone TONE     how: high or low (default: low)
  --to NAME       to whom; repeatable
  --note TEXT     what else
  -h, --help      show this text`,
  );
});
