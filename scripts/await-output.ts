import type { ChildProcess } from "node:child_process";

/**
 * Waits until a process has printed what the pattern describes. Ends the process if that takes longer than `limitMs`.
 *
 * @throws Error with what was printed if the process ends before.
 */
export function awaitOutput(child: ChildProcess, pattern: RegExp, limitMs: number): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let printed = "";
    const limit = setTimeout(() => {
      child.kill("SIGTERM");
      refuse(`It was not ready after ${limitMs / 1000} s`);
    }, limitMs);
    const refuse = (what: string) => reject(new Error(`${what}:\n${printed}`));
    const read = (chunk: Buffer) => {
      printed += chunk;
      const found = pattern.exec(printed);
      if (!found) return;
      clearTimeout(limit);
      resolve(found);
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    child.once("error", ({ message }) => {
      clearTimeout(limit);
      refuse(message);
    });
    child.once("exit", () => {
      clearTimeout(limit);
      refuse("It ended before it was ready");
    });
  });
}
