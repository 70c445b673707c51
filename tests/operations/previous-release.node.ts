import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { root } from "../../scripts/operations/wrangler.ts";

// The present commit stands for the previous release.
const RELEASE = "HEAD";
const TEST = "tests/users/profile.test.ts";

const hasHistory = spawnSync("git", ["rev-parse", "--verify", RELEASE], { cwd: root }).status === 0;
const skip = hasHistory ? false : "this folder is no clone";

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "users-api-previous-"));
});
after(() => rmSync(folder, { recursive: true }));

/** The present migrations and another one of the primary. */
function migrationsWith(sql: string): string {
  const migrations = mkdtempSync(join(folder, "migrations-"));
  cpSync(join(root, "migrations"), migrations, { recursive: true });
  writeFileSync(join(migrations, "users", "9999_next.sql"), sql);
  return migrations;
}

function testPrevious(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join("scripts", "run.js"), join("scripts", "test-previous.ts"), "--ref", RELEASE, ...args],
    { cwd: root, encoding: "utf8", env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" } },
  );
  return { status, output: stdout + stderr };
}

test("test:previous passes a migration that the previous release can run on", { skip }, () => {
  const migrations = migrationsWith("alter table profiles add column nickname text;");
  const { status, output } = testPrevious("--migrations", migrations, TEST);
  assert.equal(status, 0, output);
  assert.match(output, /The tests of HEAD \([0-9a-f]{8}\) pass with these migrations\./);
});

test("test:previous refuses a migration that breaks the previous release, with the tests that fail", { skip }, () => {
  const migrations = migrationsWith("alter table profiles rename column address to street;");
  const { status, output } = testPrevious("--migrations", migrations, TEST, "-t", "is empty at first");
  assert.equal(status, 1, output);
  assert.match(output, /is empty at first and complete once name, birth date and address are set/);
  assert.match(output, /The tests of HEAD \([0-9a-f]{8}\) fail with these migrations/);
});

test("test:previous names a released migration that has changed", { skip }, () => {
  const migrations = mkdtempSync(join(folder, "migrations-"));
  cpSync(join(root, "migrations"), migrations, { recursive: true });
  writeFileSync(join(migrations, "search", "0000_initial.sql"), "create table search_entries (id text);");
  const { output } = testPrevious("--migrations", migrations, "tests/no-such-file.test.ts");
  assert.match(output, /migrations of HEAD are missing or have changed: migrations\/search\/0000_initial\.sql\./);
});

test("test:previous fails if a migration of the last tagged release has changed", { skip }, () => {
  const clone = mkdtempSync(join(folder, "clone-"));
  const git = (...args: string[]) => {
    const author = ["-c", "user.name=Asha", "-c", "user.email=asha@example.com", "-c", "commit.gpgSign=false"];
    const { status, stderr } = spawnSync("git", [...author, ...args], { cwd: clone, encoding: "utf8" });
    assert.equal(status, 0, stderr);
  };
  git("clone", "--quiet", "--shared", root, ".");
  git("tag", "--force", "v9999.0.0");
  cpSync(join(root, "scripts"), join(clone, "scripts"), { recursive: true });
  writeFileSync(join(clone, "migrations", "search", "0000_initial.sql"), "create table search_entries (id text);");
  git("commit", "--quiet", "--all", "--message", "change a released migration");
  const command = [join("scripts", "run.js"), join("scripts", "test-previous.ts")];
  const { status, stderr } = spawnSync(process.execPath, command, { cwd: clone, encoding: "utf8" });
  assert.equal(status, 1, stderr);
  assert.match(
    stderr,
    /^These migrations of v9999\.0\.0 are missing or have changed: migrations\/search\/0000_initial/,
  );
});

test("test:previous refuses a commit that does not exist, with its usage", { skip }, () => {
  const { status, output } = testPrevious("--ref", "no-such-tag");
  assert.equal(status, 2, output);
  assert.match(output, /^There is no commit no-such-tag in this clone\./);
});
