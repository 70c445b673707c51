import { spawnSync } from "node:child_process";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** File in a folder of local databases that holds the id of the process whose server uses them. */
export const CLAIM = "server.pid";

/**
 * Claims the databases of a folder for this process until it ends: SQLite's own lock shows a server only while it has
 * the files open, which it does from its first query on.
 *
 * @returns whether they are free; false if another running server has claimed them.
 */
export function claimState(state: string): boolean {
  mkdirSync(state, { recursive: true });
  const file = join(state, CLAIM);
  const own = `${file}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  process.once("exit", () => rmSync(own, { force: true }));
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      // Fails if the file exists, and never shows it without its content.
      linkSync(own, file);
      process.once("exit", () => rmSync(file, { force: true }));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (isClaimed(state)) return false;
      // Left by a server that was killed.
      rmSync(file, { force: true });
    }
  }
  return false;
}

/** Whether a running server has claimed the databases of the folder. */
export function isClaimed(state: string): boolean {
  let pid: string;
  try {
    pid = readFileSync(join(state, CLAIM), "utf8");
  } catch {
    return false;
  }
  if (pid === String(process.pid)) return false;
  // Another program may have the id by now.
  const { stdout } = spawnSync("ps", ["-o", "args=", "-p", pid], { encoding: "utf8" });
  return /\bdev\.ts\b/.test(stdout ?? "");
}
