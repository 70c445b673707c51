const PERIOD_MS = 500;
/** How long a process may take to stop by itself. */
const GRACE_MS = 5_000;

/** Calls `end` once when the process that started this one, `parent`, is gone, or one of `others`. */
export function whenParentEnds(end: () => void, others: readonly number[] = [], parent = process.ppid): void {
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

// `node --import` of this module with the parent's id in END_WITH_PARENT ends a process, which must lead a group, with
// its parent. The id is given because the parent may be gone before this module runs.
const { END_WITH_PARENT } = process.env;
if (END_WITH_PARENT) {
  // The variable is not for the processes that this one starts.
  delete process.env.END_WITH_PARENT;
  const end = () => {
    process.kill(process.pid, "SIGTERM");
    setTimeout(() => process.kill(-process.pid, "SIGKILL"), GRACE_MS);
  };
  whenParentEnds(end, [], Number(END_WITH_PARENT));
}
