import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { showProgress } from "../../../scripts/progress/progress.ts";
import { cpuSeconds, rssBytes } from "../cpu.ts";
import { collectedHeap } from "../heap.ts";
import { varOptions } from "../server-process.ts";
import { databaseWith, keepEvents, reader } from "./databases.ts";
import type { Journal } from "./journal.ts";
import { gatherEvidence, prove } from "./proof.ts";
import { unprocessed } from "./proof-projections.ts";
import { checkTable, failureTable, memoryCheck, memoryTable, routeTable, type Sample } from "./report.ts";
import { readServerLog } from "./server-log.ts";
import { checkProof } from "./tamper.ts";

interface Options {
  minutes: number;
  /** Calls a second. */
  rate: number;
  clients: number | undefined;
  users: number | undefined;
  seed: number | undefined;
  keep: boolean;
}

const root = join(import.meta.dirname, "..", "..", "..");
/** How long to wait for pending work after the load. */
const QUIET_MS = 240_000;

/** Starts a script of the project and yields its output lines. */
function start(script: string, args: string[]): { child: ChildProcess; lines: AsyncIterator<string> } {
  const node = ["--disable-warning=ExperimentalWarning", join(root, "tests", "bench", script), ...args];
  const child = spawn(process.execPath, node, { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => child.kill());
  return { child, lines: createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]() };
}

/** Runs the load, prints what was found, and says whether nothing was lost or duplicated. */
export async function runLoad(options: Options): Promise<boolean> {
  const { rate } = options;
  const seed = options.seed ?? Date.now() % 1_000_000;
  const seconds = options.minutes * 60;
  const clients = options.clients ?? Math.ceil(rate * 4);
  const persist = mkdtempSync(join(tmpdir(), "users-api-load-"));

  if (options.users) {
    const seeded = spawnSync("npm", ["run", "-s", "seed", "--", "--users", String(options.users)], {
      cwd: root,
      env: { ...process.env, PERSIST_TO: persist },
      stdio: "inherit",
    });
    if (seeded.status !== 0) process.exit(1);
  }
  // The few members of staff do what a whole office would.
  const vars = { SMS_DAILY_BUDGET: "100000000", STAFF_VIEWS_PER_HOUR: "10000" };
  const server = start("server.ts", ["--persist", persist, "--inspect", ...varOptions(vars)]);
  const { url, platformUrl, pid, log: logPath, inspectorUrl } = JSON.parse((await server.lines.next()).value ?? "{}");
  if (!url) process.exit(1);
  const usersPath = databaseWith(persist, "d1", "users");
  keepEvents(persist);
  const before = new Set(reader(usersPath)("select id from users").map(({ id }) => String(id)));
  console.log(
    `Server at ${url}; ${before.size} users. ${rate} calls a second by ${clients} clients, ${seconds} s, seed ${seed}.`,
  );

  const journalPath = join(persist, "journal.json");
  const settings = {
    url,
    platform: platformUrl,
    persist,
    journal: journalPath,
    rate,
    clients,
    seconds,
    seed,
  };
  const client = start(
    "load/client.ts",
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
  );
  await client.lines.next();
  const onProgress = showProgress("running the load");
  const samples = await watch(client.child);
  const journal = JSON.parse(readFileSync(journalPath, "utf8")) as Journal;
  onProgress("waiting for the tasks that follow");
  await settle();
  const log = readServerLog(logPath);
  const stopped = new Promise((resolve) => server.child.once("exit", resolve));
  server.child.kill("SIGTERM");
  await stopped;

  onProgress("comparing the databases with what the clients were told");
  const evidence = gatherEvidence(persist, journal, log, before);
  const proof = prove(evidence);
  const isClean = proof.every(({ violations }) => violations.length === 0);
  const checks = [
    ...proof,
    ...(isClean ? [checkProof(persist, evidence)] : []),
    memoryCheck(samples),
    {
      name: "every response was expected, and none was a 5xx",
      cases: journal.calls.reduce((sum, { milliseconds }) => sum + milliseconds.length, 0),
      violations: journal.problems,
    },
  ];
  const isProven = checks.every(({ violations }) => violations.length === 0);
  const uncertain = journal.people.filter(({ isUncertain }) => isUncertain).length;
  console.log(`
${routeTable(journal)}

${failureTable(journal)}

Lost responses: ${journal.lostAnswers} discarded, ${journal.brokenConnections} connections aborted; the calls were repeated.
Missed slots (no client was free): ${journal.missedSlots}. Users excluded after an unexpected response: ${uncertain}.

${memoryTable(samples)}

Problems in the server's log, besides ${log.deadLetters} dead letters and ${log.ticks} ticks:
${[...log.troubles].map(([what, times]) => `  ${times} × ${what}`).join("\n") || "  none"}

${checkTable(checks)}

${isProven ? "PASSED: nothing was lost or duplicated." : "FAILED: see above."}`);
  if (options.keep) console.log(`Databases, log and journal are in ${persist}`);
  else rmSync(persist, { recursive: true });
  return isProven;

  /** Samples the server's memory once a minute until the clients have ended, and once more after that. */
  async function watch(child: ChildProcess): Promise<Sample[]> {
    const taken: Sample[] = [];
    const startedAt = Date.now();
    const take = async () =>
      taken.push({
        seconds: (Date.now() - startedAt) / 1000,
        heapBytes: await collectedHeap(inspectorUrl),
        rssBytes: rssBytes(pid),
        cpuSeconds: cpuSeconds(pid),
      });
    await take();
    while (child.exitCode === null) {
      await sleep(1000);
      if (Date.now() - startedAt >= taken.length * 60_000) await take();
    }
    if (child.exitCode !== 0) process.exit(1);
    await take();
    return taken;
  }

  /** Waits until every event has been published and processed, or until the time limit. */
  async function settle(): Promise<void> {
    const query = reader(usersPath);
    const until = Date.now() + QUIET_MS;
    let size = -1;
    while (Date.now() < until) {
      await sleep(5000);
      const now = readServerLog(logPath);
      const open = query("select id, type, is_sent from recorded_events").filter(
        (row) => unprocessed(row, now) !== undefined,
      );
      if (open.length === 0 && now.done.size === size) return;
      size = now.done.size;
    }
  }
}
