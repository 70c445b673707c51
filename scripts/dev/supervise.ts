import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "../operations/wrangler.ts";
import { createRelay, type LogLine, type LogStyle } from "./log-lines.ts";
import { sourceFolders, watchSources } from "./watch-sources.ts";

const WRANGLER = join(root, "node_modules", "wrangler", "bin", "wrangler.js");
const WATCH_PARENT = pathToFileURL(join(import.meta.dirname, "watch-parent.ts")).href;
const NODE_OPTIONS = ["--disable-warning=ExperimentalWarning", "--import", WATCH_PARENT];
/** Number of failed starts within a minute after which a server is not started again. */
const MOST_FAILED_STARTS = 3;
const MINUTE_MS = 60_000;
const RESTART_DELAY_MS = 500;
/** How long a server may take to stop by itself. */
const GRACE_MS = 5_000;
/** What wrangler prints of a Worker that throws as it starts: a file that is being edited, not the server, is broken. */
const BROKEN_WORKER = /Uncaught \w*Error|Build failed with \d+ error|Running custom build .* failed/;
/** What wrangler prints if another program has taken the port since it was checked. */
const PORT_TAKEN = /Address already in use/;
/** Lines of a server's output that are shown again when it is given up. */
const LAST_LINES = 20;

/** A server that is started again whenever it ends. */
export interface Supervised {
  /** Ends the server and everything that it has started. */
  stop(): Promise<void>;
}

interface Handlers {
  style: LogStyle;
  /** Shows a line. */
  write(line: string): void;
  /** Called with each line of the Worker's log. */
  onLogged?(line: LogLine): void;
  /** Called with the reason when the server is not started again. */
  giveUp(reason: string): void;
}

/**
 * Runs `wrangler dev` with these arguments and starts it again whenever it ends: if the Worker threw as it started, once
 * a source file has changed since this start of wrangler; otherwise at once, unless it has ended three times within a
 * minute without having become ready.
 */
export function superviseWrangler(
  name: string,
  args: readonly string[],
  { style, write, onLogged = () => {}, giveUp }: Handlers,
): Supervised {
  let child: ChildProcess;
  let isStopping = false;
  let hasStarted = false;
  let timer: NodeJS.Timeout | undefined;
  /** When it ended without having become ready. */
  let failedStarts: number[] = [];
  /** Changes of source files so far. */
  let changes = 0;
  let isWaitingForChange = false;
  /** What the last start showed if the Worker threw; not shown again. */
  let brokenBefore: readonly string[] = [];

  const stopWatching = watchSources(() => {
    changes++;
    if (isWaitingForChange) startSoon();
  });

  /** Starts after a pause; an editor may write a file in several steps. */
  function startSoon(): void {
    clearTimeout(timer);
    timer = setTimeout(start, RESTART_DELAY_MS);
  }

  function start(): void {
    const shown: string[] = [];
    let isReady = false;
    const changesBefore = changes;
    isWaitingForChange = false;
    const keep = (line: string) => {
      // While a server is being stopped, its output is only about that.
      if (isStopping) return;
      shown.push(line);
      if (shown.length > LAST_LINES) shown.shift();
      if (isReady || !brokenBefore.includes(line)) write(line);
    };
    const relay = createRelay(
      { ...style, showsBindings: style.showsBindings && !hasStarted },
      { write: keep, onLogged },
    );
    hasStarted = true;
    child = spawn(process.execPath, [...NODE_OPTIONS, WRANGLER, "dev", ...args], {
      cwd: root,
      env: { ...process.env, END_WITH_PARENT: String(process.pid), NO_COLOR: "1", FORCE_COLOR: "0" },
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that nothing that it has started outlives it.
      detached: true,
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (chunk: string) => {
        isReady ||= chunk.includes("Ready on http");
        relay(chunk);
      });
    }
    child.once("close", (code, signal) => {
      endGroup("SIGKILL");
      if (isStopping) return;
      brokenBefore = shown.some((line) => BROKEN_WORKER.test(line)) ? shown : [];
      if (brokenBefore.length > 0 && changes > changesBefore) return startSoon();
      if (brokenBefore.length > 0 && !isReady) {
        write(`${name} starts again when a file below ${sourceFolders.join(", ")} changes.`);
        isWaitingForChange = true;
        return;
      }
      if (!isReady && shown.some((line) => PORT_TAKEN.test(line))) {
        return giveUp(`${name} could not start: another program has taken its port.`);
      }
      const now = Date.now();
      failedStarts = isReady ? [] : [...failedStarts.filter((at) => at > now - MINUTE_MS), now];
      if (failedStarts.length >= MOST_FAILED_STARTS) {
        const how = signal ?? `code ${code}`;
        return giveUp(
          `${name} ended ${MOST_FAILED_STARTS} times within a minute before it was ready (${how}). Its last lines:\n${shown.join("\n")}`,
        );
      }
      write(`${name} ended unexpectedly (${signal ?? `code ${code}`}). Starting it again.`);
      startSoon();
    });
  }

  function endGroup(signal: NodeJS.Signals): void {
    try {
      if (child.pid) process.kill(-child.pid, signal);
    } catch {
      // Nothing of the group is left.
    }
  }

  start();
  return {
    async stop() {
      isStopping = true;
      stopWatching();
      clearTimeout(timer);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once("close", resolve));
      // wrangler ends workerd; what it leaves behind ends with the group.
      child.kill("SIGTERM");
      const late = setTimeout(() => endGroup("SIGKILL"), GRACE_MS);
      await ended;
      clearTimeout(late);
    },
  };
}
