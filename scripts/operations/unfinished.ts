import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Paths that are deleted when the process ends. */
const unfinished = new Set<string>();

const removeAll = () => {
  for (const path of unfinished) rmSync(path, { recursive: true, force: true });
};

/** Makes an exit and the signals of Ctrl-C and `kill` delete what is unfinished: neither runs a `finally`. */
function watchEnd(): void {
  process.on("exit", removeAll);
  for (const [signal, number] of [
    ["SIGINT", 2],
    ["SIGTERM", 15],
    ["SIGHUP", 1],
  ] as const) {
    process.once(signal, () => process.exit(128 + number));
  }
}

/**
 * Runs the work on a file or folder that exists already, and deletes it unless the work succeeds: an error, an exit and a
 * signal leave nothing of it. Work that blocks for long should await something now and then, so that signals arrive.
 */
export async function removeUnlessDone<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  if (!process.listeners("exit").includes(removeAll)) watchEnd();
  unfinished.add(path);
  try {
    const result = await work();
    unfinished.delete(path);
    return result;
  } finally {
    if (unfinished.delete(path)) rmSync(path, { recursive: true, force: true });
  }
}

/** Runs the work in a temporary folder, and deletes the folder however the work ends. */
export async function inTemporaryFolder<T>(purpose: string, work: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), `users-api-${purpose}-`));
  return await removeUnlessDone(folder, async () => {
    const result = await work(folder);
    rmSync(folder, { recursive: true, force: true });
    return result;
  });
}
