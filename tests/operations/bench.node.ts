import assert from "node:assert/strict";
import { test } from "node:test";
import { quietDetector } from "../bench/idle.ts";
import { benchOptions, MEASURABLE, peerOptions } from "../bench/routes/options.ts";

const RULE = { quietMs: 1000, idleCpuMs: 3 };

/** Feeds samples `[at, cpu, runnable]` to a detector and returns what it says to each. */
function saidTo(samples: [atMs: number, cpuMs: number, isRunnable?: boolean][]): (number | undefined)[] {
  const isQuiet = quietDetector(RULE);
  return samples.map(([atMs, cpuMs, isRunnable = false]) => isQuiet({ atMs, cpuMs, isRunnable }));
}

test("a benchmark's server is idle once it has used almost no CPU for the whole quiet period", () => {
  const said = saidTo([
    [0, 100],
    [500, 101],
    [1000, 102],
    [1500, 103],
  ]);
  assert.deepEqual(said, [undefined, undefined, undefined, 101]);
});

test("the CPU time of a benchmark's server includes what it used before the quiet period, not during it", () => {
  const said = saidTo([
    [0, 100],
    [500, 180],
    [1000, 182],
    [2000, 184],
  ]);
  assert.deepEqual(said, [undefined, undefined, undefined, 182]);
});

test("late queue work restarts the quiet period of a benchmark's server and is counted", () => {
  const said = saidTo([
    [0, 100],
    [500, 100],
    [1400, 150],
    [1900, 151],
    [2900, 151],
  ]);
  assert.deepEqual(said, [undefined, undefined, undefined, undefined, 151]);
});

test("a server that waits for a core is not idle, although it uses no CPU", () => {
  const said = saidTo([
    [0, 100],
    [500, 100],
    [1000, 100, true],
    [1500, 100, true],
    [2000, 100],
    [2500, 100],
    [3000, 100],
  ]);
  assert.deepEqual(said, [...Array(6).fill(undefined), 100]);
});

test("bench measures everything unless --only names a part", () => {
  assert.deepEqual(benchOptions([]).only, [...MEASURABLE]);
  assert.deepEqual(benchOptions(["--only", "refresh", "--only", "me"]).only, ["me", "refresh"]);
  assert.equal(benchOptions([]).hang, undefined);
  assert.equal(benchOptions(["--hang", "100"]).hang, 100);
});

test("bench and bench:peer refuse invalid and unknown options", () => {
  const refused: [string[], RegExp][] = [
    [["--only", "login"], /--only takes/],
    [["--turns", "0"], /--turns takes/],
    [["--people", "1.5"], /--people takes/],
    [["--warm-up", ""], /--warm-up takes/],
    [["--hang", "often"], /--hang takes/],
    [["--turns", "100"], /must not exceed/],
    [["--unknown"], /Unknown option/],
  ];
  for (const [args, reason] of refused) assert.throws(() => benchOptions(args), reason);
  assert.throws(() => peerOptions(["--people", "many"]), /--people takes/);
  assert.throws(() => peerOptions(["--hang", "1"]), /Unknown option/);
});
