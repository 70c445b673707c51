import { setTimeout as sleep } from "node:timers/promises";
import { cpuSeconds, hasRunnableThread } from "./cpu.ts";
import type { Server } from "./server-process.ts";

/** What a server did since the previous sample. */
export interface Sample {
  atMs: number;
  /** CPU time of all its processes since they began. */
  cpuMs: number;
  /** A thread runs or waits for a core. A server that gets no core uses no CPU time, but is not idle. */
  isRunnable: boolean;
}

export interface QuietRule {
  /** How long it must be quiet. */
  quietMs: number;
  /** CPU time between two samples that an idle server may use, for the timers of its runtimes. */
  idleCpuMs: number;
}

/**
 * Longer than every wait of the queues on the path of a sign-up: `max_batch_timeout` of the search queue, 2 seconds,
 * and the time in which events are gathered.
 */
const QUIET: QuietRule = { quietMs: 3_000, idleCpuMs: 3 };
const POLL_MS = 150;
const GIVE_UP_MS = 120_000;

/**
 * Returns a function that takes the samples of a server one by one. It returns undefined until the server has been
 * quiet for long enough, and then the CPU time at the moment it became quiet: waiting costs nothing.
 */
export function quietDetector({ quietMs, idleCpuMs }: QuietRule = QUIET): (sample: Sample) => number | undefined {
  let previous: Sample | undefined;
  let quietSince: Sample | undefined;
  return (sample) => {
    const isQuiet = previous && !sample.isRunnable && sample.cpuMs - previous.cpuMs <= idleCpuMs;
    if (!isQuiet) quietSince = undefined;
    else quietSince ??= sample;
    previous = sample;
    return quietSince && sample.atMs - quietSince.atMs >= quietMs ? quietSince.cpuMs : undefined;
  };
}

/** CPU time of workerd and of the process that runs Miniflare, in milliseconds since they began. */
export const treeCpuMs = ({ pids }: Server) => pids.reduce((sum, pid) => sum + cpuSeconds(pid) * 1000, 0);

/**
 * Waits until a server has no work left: responses, the work behind them, and queues. Returns what `treeCpuMs` was when
 * it became idle.
 *
 * @throws Error if the server is still busy after two minutes.
 */
export async function cpuWhenIdle(server: Server): Promise<number> {
  const isQuiet = quietDetector();
  const until = performance.now() + GIVE_UP_MS;
  while (performance.now() < until) {
    const isRunnable = server.pids.some(hasRunnableThread);
    const cpuMs = isQuiet({ atMs: performance.now(), cpuMs: treeCpuMs(server), isRunnable });
    if (cpuMs !== undefined) return cpuMs;
    await sleep(POLL_MS);
  }
  throw new Error(`${server.url} is not idle after ${GIVE_UP_MS / 1000} seconds`);
}
