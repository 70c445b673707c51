import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** CPU time (user and system) that the threads of a process have used so far. */
export function cpuSeconds(pid: number): number {
  const threads = `/proc/${pid}/task`;
  for (const thread of readdirSync(threads)) {
    try {
      // In nanoseconds (sched-stats of the kernel's documentation); /proc/PID/stat counts in steps of 10 ms.
      used.set(`${pid}/${thread}`, Number(readFileSync(join(threads, thread, "schedstat"), "utf8").split(" ")[0]));
    } catch {
      // The thread has just ended.
    }
  }
  return [...used].reduce((sum, [thread, each]) => sum + (thread.startsWith(`${pid}/`) ? each : 0), 0) / 1e9;
}

/** Whether a thread of a process runs or waits for a core. */
export function hasRunnableThread(pid: number): boolean {
  const threads = `/proc/${pid}/task`;
  return readdirSync(threads).some((thread) => {
    try {
      const stat = readFileSync(join(threads, thread, "stat"), "utf8");
      return stat.startsWith("R", stat.lastIndexOf(")") + 2);
    } catch {
      return false;
    }
  });
}

/** The last known nanoseconds of each thread; those of ended threads still count. */
const used = new Map<string, number>();

/** Resident memory of a process, including its share of mapped files. */
export function rssBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kilobytes === undefined) throw new Error(`process ${pid} has ended`);
  return Number(kilobytes) * 1024;
}
