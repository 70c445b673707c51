import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { readArguments, text } from "./arguments.ts";
import { behaviourOf, changedMigrations, findCommit, previousRelease, unpack } from "./operations/previous-release.ts";
import { root } from "./operations/wrangler.ts";
import { showProgress } from "./progress/progress.ts";
import { vitestArguments, vitestOptions } from "./vitest-options.ts";

const { options, operands, refuse } = readArguments({
  name: "test:previous",
  about:
    "Runs the tests of the previous release with the migrations of this clone: during a deployment and after a rollback, the old code runs on the new schema.",
  operands: "[FILE…]",
  options: {
    ...vitestOptions.options,
    ref: text("COMMIT", "a tag or commit instead of the last tag v… before this commit"),
    migrations: text("DIR", "folder of the migrations", { default: "migrations" }),
  },
  notes: [
    "FILE: tests of that release; without any, those that call the Worker by HTTP, queue or cron.",
    ...vitestOptions.notes,
  ],
});

const { ref, migrations: migrationsFolder, ...own } = options;
const given = vitestArguments(own, operands);
const migrations = resolve(root, migrationsFolder);
if (!existsSync(migrations)) refuse(`There is no folder ${migrations}.`);
const release = ref === undefined ? previousRelease() : findCommit(ref);
if (ref !== undefined && !release) refuse(`There is no commit ${ref} in this clone.`);
if (!release) {
  console.log(`There is no previous release: no tag v… before this commit, so no old code runs on this schema.
If there should be one, fetch the tags: git fetch --tags --unshallow. Or name a commit with --ref.`);
  process.exit(0);
}

const { name, commit } = release;
const changed = changedMigrations(release, migrations);
if (changed.length > 0) {
  console.error(`These migrations of ${name} are missing or have changed: ${changed.join(", ")}.
Databases that have run them do not run them again. Restore them, and add a migration instead.`);
  // A commit that was named by hand may never have been deployed.
  if (ref === undefined) process.exit(1);
}

const onProgress = showProgress(`unpacking ${name}`);
const folder = unpack(release, migrations);
let status: number | null = 1;
try {
  onProgress(`running the tests of ${name}`);
  const node = (...args: string[]) =>
    spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
      cwd: folder,
      // The packages may be those of this clone, whose cache belongs to its own tests.
      env: { ...process.env, PWD: folder, VITEST_CACHE: join(folder, ".vitest") },
      stdio: "inherit",
    });
  // The tests serve the built assets.
  node(join("scripts", "build-assets.ts"));
  const files = given.filters.length > 0 ? given.filters : behaviourOf(folder);
  ({ status } = node(join("node_modules", "vitest", "vitest.mjs"), "run", ...given.options, ...files));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(
  status === 0
    ? `The tests of ${name} (${commit.slice(0, 8)}) pass with these migrations.`
    : `The tests of ${name} (${commit.slice(0, 8)}) fail with these migrations: its code would fail during the deployment and after a rollback.`,
);
process.exit(status ?? 1);
