import { writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import type { Doing } from "./progress.ts";
import { PERIOD_MS, progressLines } from "./progress-line.ts";

const STDERR = 2;

const { startedAt, doing } = workerData as { startedAt: number; doing: Doing };
let last = doing;
parentPort?.on("message", (next: Doing) => {
  last = next;
});
const lineOf = progressLines(startedAt);
setInterval(() => {
  const line = lineOf(last, Date.now());
  if (line === undefined) return;
  try {
    // process.stderr of a thread waits for the main one.
    writeSync(STDERR, `${line}\n`);
  } catch {
    // Nobody reads it.
  }
}, PERIOD_MS);
