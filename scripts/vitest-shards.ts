import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

const root = join(import.meta.dirname, "..");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const SHARDS = 2;

/** What workerd prints about header values that tests send on purpose. */
const EXPECTED_LINE = /^A header value for "[\w-]+" contains non-ASCII characters/;

/** Free space that the databases of both processes may need, in bytes. */
const STORAGE_BYTES = 2_000_000_000;

/** Variables that put the databases of the tests, written hundreds of times a second, into memory if it has room. */
export function folderInMemory(): NodeJS.ProcessEnv {
  try {
    const { bavail, bsize } = statfsSync("/dev/shm");
    return bavail * bsize > STORAGE_BYTES ? { TMPDIR: "/dev/shm" } : {};
  } catch {
    return {};
  }
}

interface RunOptions {
  env?: NodeJS.ProcessEnv;
  /** Shows the output without the expected lines, and without colors. */
  hidesExpected?: boolean;
}

/** Runs vitest in one process and returns its exit code. */
export function runVitest(args: readonly string[], { env = {}, hidesExpected = false }: RunOptions = {}) {
  return new Promise<number>((resolve) => {
    const output = hidesExpected ? "pipe" : "inherit";
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", vitest, "run", ...args], {
      cwd: root,
      env: { ...process.env, VITEST_CACHE: join("node_modules", ".vitest"), ...env },
      stdio: ["inherit", output, output],
    });
    showUnexpected(child.stdout, process.stdout);
    showUnexpected(child.stderr, process.stderr);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

function showUnexpected(from: Readable | null, to: NodeJS.WriteStream): void {
  if (!from) return;
  createInterface({ input: from }).on("line", (line) => {
    if (!EXPECTED_LINE.test(line)) to.write(`${line}\n`);
  });
}

interface ShardOptions {
  /** Arguments that choose the tests and how they run. */
  choosing: readonly string[];
  /** Arguments that choose the reporters of the merged report. */
  reporting?: readonly string[];
  env?: NodeJS.ProcessEnv;
}

/**
 * Runs the tests in parallel processes, because the process that serves the storage of a run uses one core. Returns the
 * exit code.
 */
export async function runShards({ choosing, reporting = [], env = {} }: ShardOptions): Promise<number> {
  const reports = mkdtempSync(join(tmpdir(), "users-api-tests-"));
  const progress = `--reporter=${join(import.meta.dirname, "vitest-progress.ts")}`;
  console.log(`Running the tests in ${SHARDS} parallel processes. The report is shown at the end.`);
  const runs = Array.from({ length: SHARDS }, (_, i) => {
    const blob = ["--reporter=blob", progress, `--outputFile.blob=${join(reports, `${i + 1}.json`)}`];
    return runVitest([...choosing, `--shard=${i + 1}/${SHARDS}`, ...blob], {
      env: { ...folderInMemory(), ...env, VITEST_CACHE: join("node_modules", `.vitest-${i + 1}`) },
      hidesExpected: true,
    });
  });
  const codes = await Promise.all(runs);
  const merged = await runVitest([`--merge-reports=${reports}`, ...reporting], { env });
  rmSync(reports, { recursive: true });
  return Math.max(merged, ...codes);
}
