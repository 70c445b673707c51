import { join } from "node:path";
import { Worker } from "node:worker_threads";

/** What a command is doing. */
export interface Doing {
  step: string;
  /** How much of it is done; the step then names what is counted, such as "users written". */
  done: number | undefined;
}

/** Says what a command is doing from now on. */
export type Progress = (step: string, done?: number) => void;

/**
 * Writes lines such as `  15 s  120,000 users written` to stderr while a command runs: every five seconds if something
 * has changed, otherwise every thirty; nothing for a command that takes less than five seconds. A thread of its own
 * writes them, because SQLite and child processes block the main one.
 */
export function showProgress(step: string): Progress {
  const thread = new Worker(join(import.meta.dirname, "progress-thread.ts"), {
    execArgv: ["--disable-warning=ExperimentalWarning"],
    workerData: { startedAt: Date.now(), doing: { step, done: undefined } satisfies Doing },
  });
  // The command ends without waiting for the thread.
  thread.unref();
  return (step, done) => thread.postMessage({ step, done } satisfies Doing);
}
