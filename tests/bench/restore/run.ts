import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { databaseFile, localDatabases, stateFolder } from "../../../scripts/operations/local-database.ts";
import { root } from "../../../scripts/operations/wrangler.ts";
import { showProgress } from "../../../scripts/progress/progress.ts";
import { temporaryFolder } from "../copies.ts";
import { stateOf } from "../state.ts";

interface Options {
  /** Numbers of users; 100,000 by default. */
  users: number[] | undefined;
  state: string | undefined;
  runs: number;
}

/** Runs a command with the databases in `state`, and returns how long it took, and its CPU time, in seconds. */
function rehearse(script: string, args: readonly string[], state: string): { seconds: number; cpu: number } {
  const [startedAt, before] = [performance.now(), childCpu()];
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(root, "scripts", script), ...args, "--persist-to", state],
    { cwd: root, encoding: "utf8", stdio: ["ignore", "ignore", "pipe"] },
  );
  if (status !== 0) throw new Error(`${script} failed:\n${stderr}`);
  return { seconds: (performance.now() - startedAt) / 1000, cpu: childCpu() - before };
}

/** CPU time of the ended child processes, in seconds. */
function childCpu(): number {
  // Fields 16 and 17, in ticks of 10 ms, after the name in parentheses (proc(5)).
  const [, rest = ""] = /\) (.*)$/.exec(readFileSync("/proc/self/stat", "utf8").trim()) ?? [];
  const fields = rest.split(" ");
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

/** Backs up and restores databases, and prints how long it takes as a table. */
export async function rehearseRestores(options: Options): Promise<void> {
  const home = temporaryFolder("restore");
  const onProgress = showProgress("seeding the databases");

  console.log(
    "| Users | Database | Dump | Backup, s | CPU, s | Restore and comparison, s | CPU, s |\n|---|---|---|---|---|---|---|",
  );
  for (const users of options.users ?? [100_000]) {
    const state = options.state === undefined ? await stateOf(users) : stateFolder(options.state);
    const megabytes = (file: string) => `${Math.round(statSync(file).size / 1e6).toLocaleString("en")} MB`;
    for (let run = 0; run < options.runs; run++) {
      const [backups, restored] = [`backups-${users}-${run}`, `restored-${users}-${run}`].map((name) =>
        join(home, name),
      );
      onProgress("users backed up", users);
      const backup = rehearse("backup.ts", ["--output", backups ?? ""], state);
      const folder = join(backups ?? "", readdirSync(backups ?? "")[0] ?? "");
      onProgress("users restored", users);
      const restore = rehearse("restore.ts", [folder], restored ?? "");
      const sizes = [megabytes(databaseFile(state, localDatabases[0])), megabytes(join(folder, "users.sql"))];
      const times = [backup, restore].flatMap(({ seconds, cpu }) => [Math.round(seconds), Math.round(cpu)]);
      console.log(`| ${[users.toLocaleString("en"), ...sizes, ...times].join(" | ")} |`);
    }
  }
}
