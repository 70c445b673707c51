import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { compareDigests, digestDump } from "../../scripts/operations/dump.ts";
import { databaseFile, localDatabases } from "../../scripts/operations/local-database.ts";
import { listBrokenTexts, selectRows } from "../../scripts/operations/mend-texts.ts";
import { root, wranglerIn } from "../../scripts/operations/wrangler.ts";
import { startDevServer } from "../browser/dev-server.ts";

const [primary, search] = localDatabases;
let folder = "";
let backup = "";
const source = () => join(folder, "source");
const restored = () => join(folder, "restored");

function script(name: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const command = ["--disable-warning=ExperimentalWarning", join(root, "scripts", name), ...args];
  const env = { ...process.env, ...environment };
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: root, env, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

function wrangler(...args: string[]): void {
  const { ok, output } = wranglerIn(root)(args);
  assert.ok(ok, output);
}

/** Runs a statement on the file of a local database and returns its rows. */
function rows(state: string, database: (typeof localDatabases)[number], sql: string): Record<string, unknown>[] {
  const file = new DatabaseSync(databaseFile(state, database), { readOnly: true });
  try {
    const statement = file.prepare(sql);
    statement.setReadBigInts(true);
    return statement.all().map((row) => ({ ...row }));
  } finally {
    file.close();
  }
}

before(() => {
  folder = mkdtempSync(join(tmpdir(), "users-api-restore-"));
  const local = ["--local", "--persist-to", source()];
  wrangler("d1", "migrations", "apply", "DB", ...local);
  wrangler("d1", "execute", "DB", ...local, "--file", join(import.meta.dirname, "people.sql"));
  writeFileSync(join(folder, "front.jpg"), "a document");
  wrangler("r2", "object", "put", "kyc-development/kyc/u1/d1", ...local, "--file", join(folder, "front.jpg"));
  const taken = script("backup.ts", ["--persist-to", source(), "--output", join(folder, "backups")]);
  assert.equal(taken.status, 0, taken.output);
  const [name] = readdirSync(join(folder, "backups"));
  backup = join(folder, "backups", name ?? "");
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("a backup of a clone without a database saves an empty one", () => {
  const taken = script("backup.ts", [
    "--local",
    "--persist-to",
    join(folder, "none"),
    "--output",
    join(folder, "empty"),
  ]);
  assert.equal(taken.status, 0, taken.output);
  assert.match(taken.output, /rows in \d+ tables, 0 documents listed/);
});

test("a backup contains every row, a list of the documents and a digest of each table", () => {
  const manifest = JSON.parse(readFileSync(join(backup, "manifest.json"), "utf8"));
  assert.equal(manifest.tables.users.rows, 3);
  assert.equal(manifest.tables.kyc.rows, 2);
  assert.match(manifest.tables.users.sha256, /^[0-9a-f]{64}$/);
  const [document, ...others] = JSON.parse(readFileSync(join(backup, "documents.json"), "utf8"));
  assert.deepEqual([document.key, document.size, others], ["kyc/u1/d1", "a document".length, []]);
  assert.match(document.etag, /^[0-9a-f]{32}$/);
});

test("texts that an export damages are read by key, without a table scan", () => {
  const file = new DatabaseSync(databaseFile(source(), primary), { readOnly: true });
  try {
    const broken = listBrokenTexts(file).filter((each) => each.rows.length > 0);
    assert.ok(broken.some(({ table, rows }) => table === "dead_letters" && rows.length === 1_100));
    for (const each of broken) {
      const plan = file.prepare(`explain query plan ${selectRows({ ...each, rows: each.rows.slice(0, 100) })}`).all();
      const scans = plan.filter(({ detail }) => String(detail).startsWith(`SCAN ${each.table}`));
      assert.deepEqual(scans, [], JSON.stringify(plan));
    }
  } finally {
    file.close();
  }
});

test("a dump that does not match its checksum is not loaded", () => {
  const changed = join(folder, "changed");
  mkdirSync(changed);
  for (const name of readdirSync(backup)) copyFileSync(join(backup, name), join(changed, name));
  appendFileSync(join(changed, "users.sql"), "\ndelete from wallets;");
  const { status, output } = script("restore.ts", [changed, "--persist-to", join(folder, "other")]);
  assert.equal(status, 1, output);
  assert.match(output, /does not match the checksum/);
});

test("a folder that is no backup is told by a message, and nothing is loaded", () => {
  const empty = join(folder, "no-backup");
  mkdirSync(empty);
  const restore = () => script("restore.ts", [empty, "--persist-to", join(folder, "other")]);
  for (const content of [undefined, "", "{}", "[]", "null", "not JSON", '{"sha256":1}']) {
    if (content !== undefined) writeFileSync(join(empty, "manifest.json"), content);
    const { status, output } = restore();
    assert.equal(status, 1, output);
    assert.match(output, /manifest\.json is missing or is no manifest/);
    assert.doesNotMatch(output, /\n\s+at /);
  }
  copyFileSync(join(backup, "manifest.json"), join(empty, "manifest.json"));
  const { status, output } = restore();
  assert.deepEqual([status, /users\.sql is missing/.test(output)], [1, true], output);
});

test("a backup that fails keeps nothing of the data", () => {
  const state = join(folder, "broken");
  cpSync(source(), state, { recursive: true });
  const file = new DatabaseSync(databaseFile(state, primary), { enableForeignKeyConstraints: false });
  file.exec("update wallets set user_id = 'nobody' where user_id = (select min(user_id) from wallets)");
  file.close();
  const output = join(folder, "broken-backups");
  const taken = script("backup.ts", ["--persist-to", state, "--output", output]);
  assert.equal(taken.status, 1, taken.output);
  assert.match(taken.output, /foreign key/i);
  assert.doesNotMatch(taken.output, /\n\s+at /);
  assert.deepEqual(readdirSync(output), []);
});

test("the digest of a table detects a changed value, a missing row and a changed type", async () => {
  const dump = join(folder, "some.sql");
  const digest = async (values: string) => {
    writeFileSync(dump, `CREATE TABLE t (a, b);\nINSERT INTO "t" ("a","b") VALUES ${values};`);
    return await digestDump(dump);
  };
  const whole = await digest("('1', 2), ('x', null)");
  assert.deepEqual(compareDigests(whole, await digest("('1', 2), ('x', null)")), []);
  for (const other of [
    "('1', 3), ('x', null)",
    "(1, 2), ('x', null)",
    "('12', null), ('x', null)",
    "('1', 2), ('x', 'null')",
  ]) {
    assert.deepEqual(
      compareDigests(whole, await digest(other)),
      ["t: 2 rows, the backup has 2, with other values"],
      other,
    );
  }
  assert.deepEqual(compareDigests(whole, await digest("('1', 2)")), ["t: 1 rows, the backup has 2"]);
});

test("a restore gives every row of the backup, and counts each user once", () => {
  const { status, output } = script("restore.ts", [backup, "--persist-to", restored()]);
  assert.equal(status, 0, output);
  assert.match(output, /npm run tasks -- run rebuild_user_search/);
  const tables = rows(
    source(),
    primary,
    "select name from sqlite_master where type = 'table' and name not glob 'sqlite_*' and name not glob '_cf_*'",
  );
  assert.ok(tables.length > 30);
  for (const { name } of tables) {
    const all = `select * from "${name}" order by 1, 2`;
    assert.deepEqual(rows(restored(), primary, all), rows(source(), primary, all), String(name));
  }
  const schema =
    "select type, name, sql from sqlite_master where name not glob 'sqlite_*' and name not glob '_cf_*' order by 1, 2";
  assert.deepEqual(rows(restored(), primary, schema), rows(source(), primary, schema), "triggers and indexes");
  const counted =
    "select key as status_bucket, value as count from user_counts, json_each(by_status_bucket) where value > 0 order by 1";
  const real = "select status_bucket, count(*) as count from users group by 1 order by 1";
  assert.deepEqual(rows(restored(), primary, counted), rows(restored(), primary, real));
  assert.deepEqual(
    rows(restored(), primary, "select sum(value) as count from user_counts, json_each(by_status_bucket)"),
    [{ count: 3n }],
  );
  assert.deepEqual(rows(restored(), primary, "pragma foreign_key_check"), []);
});

test("a restore leaves a database that is not empty unchanged", () => {
  const before = rows(restored(), primary, "select * from users order by 1");
  const { status, output } = script("restore.ts", [backup, "--persist-to", restored()]);
  assert.equal(status, 1, output);
  assert.match(output, /Nothing was changed/);
  assert.deepEqual(rows(restored(), primary, "select * from users order by 1"), before);
});

test("after a restore the job rebuilds the search database and the triggers keep counting", async () => {
  const server = await startDevServer("dev.ts", restored());
  try {
    const { status, output } = script("tasks.ts", ["run", "rebuild_user_search", "--base", server.base], {
      PERSIST_TO: restored(),
    });
    assert.equal(status, 0, output);
    assert.match(output, /rebuild_user_search: finished, 3 rows/);
    assert.deepEqual(
      rows(restored(), search, "select user_id from search_entries where removed_at is null order by 1"),
      [{ user_id: "u1" }, { user_id: "u2" }, { user_id: "u3" }],
    );
    wrangler(
      "d1",
      "execute",
      "DB",
      "--local",
      "--persist-to",
      restored(),
      "--command",
      "delete from users where id = 'u3'",
    );
    assert.deepEqual(
      rows(restored(), primary, "select sum(value) as count from user_counts, json_each(by_status_bucket)"),
      [{ count: 2n }],
    );
  } finally {
    await server.stop();
  }
});
