import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { progressLines } from "../../scripts/progress/progress-line.ts";

const START = Date.UTC(2026, 10, 30);
const after = (seconds: number) => START + seconds * 1000;

test("a line of progress names the time, the number and what is counted", () => {
  const lineOf = progressLines(START);
  assert.equal(lineOf({ step: "copying the database", done: undefined }, after(5)), "   5 s  copying the database");
  assert.equal(lineOf({ step: "users written", done: 120_000 }, after(10)), "  10 s  120,000 users written");
});

test("unchanged progress is printed again after thirty seconds", () => {
  const lineOf = progressLines(START);
  const doing = { step: "users written", done: 1 };
  const said = [5, 10, 30, 34, 35, 40].filter((seconds) => lineOf(doing, after(seconds)));
  assert.deepEqual(said, [5, 35]);
  assert.equal(lineOf({ ...doing, done: 2 }, after(45)), "  45 s  2 users written");
});

test("progress is shown while the command's thread is blocked, and does not keep the command alive", async () => {
  const progress = join(import.meta.dirname, "..", "..", "scripts", "progress", "progress.ts");
  // Blocked until the line has been read: the parent closes standard input then.
  const script = `import { readFileSync } from "node:fs";
    import { showProgress } from ${JSON.stringify(progress)};
    showProgress("waiting for the parent");
    readFileSync(0);`;
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script]);
  const [line] = await new Promise<string[]>((resolve) => child.stderr.once("data", (data) => resolve([String(data)])));
  assert.match(line ?? "", /^ +\d+ s {2}waiting for the parent\n$/);
  child.stdin.end();
  assert.equal(await new Promise((resolve) => child.once("close", resolve)), 0);
});
