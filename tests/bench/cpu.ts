import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The CPU time, user and system, that the threads of a process have used so far. */
export function cpuSeconds(pid: number): number {
  const threads = `/proc/${pid}/task`;
  // In nanoseconds (sched-stats of the kernel's documentation); /proc/PID/stat counts in steps of 10 ms.
  return readdirSync(threads).reduce((sum, thread) => sum + nanosecondsOf(join(threads, thread)), 0) / 1e9;
}

/** Of one thread; nothing where it has just ended. */
function nanosecondsOf(thread: string): number {
  try {
    return Number(readFileSync(join(thread, "schedstat"), "utf8").split(" ")[0]);
  } catch {
    return 0;
  }
}

/** The memory of a process that is in RAM now, its share of mapped files included. */
export function rssBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kilobytes === undefined) throw new Error(`process ${pid} has ended`);
  return Number(kilobytes) * 1024;
}
