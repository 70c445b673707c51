import { spawnSync } from "node:child_process";

/**
 * Processes whose end means that nobody waits for this one: the npm process that runs a script of package.json, which
 * starts a shell in between. Empty if this process was started otherwise; its parent is not among them.
 */
export function parentsOf(): number[] {
  if (process.env.npm_lifecycle_event === undefined) return [];
  const { stdout } = spawnSync("ps", ["-o", "ppid=", "-p", String(process.ppid)], { encoding: "utf8" });
  const grandparent = Number(stdout);
  return grandparent > 1 && isNpm(process.ppid) === false ? [grandparent] : [];
}

/** Whether the process is npm itself: some shells replace themselves by the command that they run. */
function isNpm(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "args=", "-p", String(pid)], { encoding: "utf8" });
  return /\bnpm\b/.test(stdout ?? "");
}
