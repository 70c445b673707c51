import { join } from "node:path";
import { count, readArguments } from "./arguments.ts";
import { showProgress } from "./progress/progress.ts";
import { folderInMemory } from "./vitest-shards.ts";

/** Matches the progress lines of the test. */
const PROGRESS = /\{"event":"progress".*\}/g;

const { options } = readArguments({
  name: "homes",
  about: "Moves users between two databases while they use the service, and proves that nothing is lost or done twice.",
  options: { users: count("N", "number of users", { default: 1000 }) },
});
// The tests serve the built assets.
await import("./build-assets.ts");
const onProgress = showProgress("starting the tests");
const { startVitest } = await import("vitest/node");
Object.assign(process.env, folderInMemory(), { HOMES_USERS: String(options.users) });
const vitest = await startVitest("test", ["tests/homes"], {
  root: join(import.meta.dirname, ".."),
  watch: false,
  silent: false,
  reporters: ["verbose"],
  testTimeout: 3_600_000,
  onConsoleLog(log) {
    for (const [line] of log.matchAll(PROGRESS)) {
      const { step, done } = JSON.parse(line) as { step: string; done: number };
      onProgress(step, done);
    }
    // The Worker's log lines, several per call, would hide everything else.
    return !log.startsWith("{");
  },
});
await vitest.close();
process.exit();
