import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { localDatabases } from "./local-database.ts";
import { root } from "./wrangler.ts";

/** Form of the tags of releases. */
const RELEASE_TAG = "v[0-9]*";
/** Folders of tests that enter by HTTP, queue or cron. Other tests concern the files of one release. */
const BEHAVIOUR = ["auth", "delivery", "events", "platform", "sessions", "staff", "tasks", "users"];

interface Ended {
  ok: boolean;
  output: string;
}

function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Ended {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
    maxBuffer: 1024 * 1024 * 1024,
  });
  return { ok: status === 0, output: `${stdout ?? ""}${stderr ?? ""}${error ?? ""}`.trim() };
}

const git = (...args: string[]) => run("git", args, root);

/** A release, or a commit that stands for one. */
export interface Release {
  name: string;
  commit: string;
}

/** The named commit, or undefined if there is none. */
export function findCommit(name: string): Release | undefined {
  const { ok, output } = git("rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`);
  return ok ? { name, commit: output } : undefined;
}

/** The release before the present commit, by its tag; undefined if nothing has been released. */
export function previousRelease(): Release | undefined {
  const { ok, output } = git("describe", "--tags", "--abbrev=0", "--match", RELEASE_TAG, "HEAD^");
  return ok ? findCommit(output) : undefined;
}

/**
 * Unpacks the release into a folder, with `migrations` instead of its own. Its packages are those of this clone if both
 * have the same lockfile, otherwise they are installed.
 *
 * @throws Error with the output of the command that failed.
 */
export function unpack({ commit }: Release, migrations: string): string {
  const folder = mkdtempSync(join(tmpdir(), "users-api-release-"));
  const must = ({ ok, output }: Ended) => {
    if (ok) return;
    rmSync(folder, { recursive: true, force: true });
    throw new Error(output);
  };
  const archive = join(folder, "release.tar");
  must(git("archive", "--output", archive, commit));
  must(run("tar", ["-xf", archive], folder));
  rmSync(archive);
  rmSync(join(folder, "migrations"), { recursive: true });
  cpSync(migrations, join(folder, "migrations"), { recursive: true });
  const lockfile = (clone: string) => readFileSync(join(clone, "package-lock.json"), "utf8");
  if (lockfile(folder) === lockfile(root)) symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "dir");
  else must(run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder));
  return folder;
}

/** Migrations of the release that are missing in `migrations` or differ: a database that has them is not changed again. */
export function changedMigrations({ commit }: Release, migrations: string): string[] {
  return localDatabases.flatMap(({ migrations: path }) => {
    const listed = git("ls-tree", "--name-only", commit, `${path}/`).output.split("\n");
    return listed.filter((file) => {
      if (!file.endsWith(".sql")) return false;
      const present = join(migrations, relative("migrations", file));
      return !existsSync(present) || readFileSync(present, "utf8").trim() !== git("show", `${commit}:${file}`).output;
    });
  });
}

/** The folders of a release's tests that are run unless others are named. */
export const behaviourOf = (folder: string): string[] =>
  readdirSync(join(folder, "tests"))
    .filter((name) => BEHAVIOUR.includes(name))
    .map((name) => join("tests", name));
