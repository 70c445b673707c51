const PERIOD_MS = 500;
/** How long a process may take to stop by itself. */
const GRACE_MS = 5_000;

/** Calls `end` once when the process that started this one is gone, or one of `others`. */
export function whenParentEnds(end: () => void, others: readonly number[] = []): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent && !others.some(isGone)) return;
    clearInterval(timer);
    end();
  }, PERIOD_MS);
  timer.unref();
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

// `node --import` of this module with END_WITH_PARENT=yes ends a process, which must lead a group, with its parent.
if (process.env.END_WITH_PARENT === "yes") {
  // The variable is not for the processes that this one starts.
  delete process.env.END_WITH_PARENT;
  whenParentEnds(() => {
    process.kill(process.pid, "SIGTERM");
    setTimeout(() => process.kill(-process.pid, "SIGKILL"), GRACE_MS);
  });
}
