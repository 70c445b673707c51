import assert from "node:assert/strict";
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
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { compareDigests, digestDatabase } from "../../scripts/operations/digest.ts";
import { databaseFile, localDatabases } from "../../scripts/operations/local-database.ts";
import { listDoubtfulTexts, selectBytes } from "../../scripts/operations/mend-texts.ts";
import { takeExport } from "../../scripts/operations/take-dump.ts";
import { root, wranglerIn } from "../../scripts/operations/wrangler.ts";
import { startDevServer } from "../browser/dev-server.ts";
import { runScript } from "./run-script.ts";

const [primary, search] = localDatabases;
let folder = "";
let backup = "";
const source = () => join(folder, "source");
const restored = () => join(folder, "restored");

let firstRestore: ReturnType<typeof runScript> | undefined;
/** Restores the backup into `restored` once, by whichever test comes first. */
const restoreOnce = () => {
  firstRestore ??= runScript("restore.ts", [backup, "--persist-to", restored()]);
  return firstRestore;
};

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
  const taken = runScript("backup.ts", ["--persist-to", source(), "--output", join(folder, "backups")]);
  assert.equal(taken.status, 0, taken.output);
  const [name] = readdirSync(join(folder, "backups"));
  backup = join(folder, "backups", name ?? "");
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("a backup of a clone without a database saves an empty one", () => {
  const taken = runScript("backup.ts", [
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

test("texts that an export may change are read by key, without a table scan", () => {
  const file = new DatabaseSync(databaseFile(source(), primary), { readOnly: true });
  try {
    const doubtful = listDoubtfulTexts(file).filter((each) => each.rows.length > 0);
    assert.ok(doubtful.some(({ table, rows }) => table.name === "dead_letters" && rows.length === 1_100));
    for (const each of doubtful) {
      const plan = file.prepare(`explain query plan ${selectBytes({ ...each, rows: each.rows.slice(0, 100) })}`).all();
      const scans = plan.filter(({ detail }) => String(detail).startsWith(`SCAN ${each.table.name}`));
      assert.deepEqual(scans, [], JSON.stringify(plan));
    }
  } finally {
    file.close();
  }
});

test("an export by D1, corrected from the primary, equals the primary", async () => {
  const work = mkdtempSync(join(folder, "export-"));
  const exported = await takeExport({ remote: false, state: source() }, work);
  const original = new DatabaseSync(databaseFile(source(), primary), { readOnly: true });
  try {
    assert.deepEqual(compareDigests(digestDatabase(original), digestDatabase(exported)), []);
  } finally {
    original.close();
    exported.close();
  }
});

test("a dump that does not match its checksum is not loaded", () => {
  const changed = join(folder, "changed");
  mkdirSync(changed);
  for (const name of readdirSync(backup)) copyFileSync(join(backup, name), join(changed, name));
  appendFileSync(join(changed, "users.sql"), "\ndelete from wallets;");
  const { status, output } = runScript("restore.ts", [changed, "--persist-to", join(folder, "other")]);
  assert.equal(status, 1, output);
  assert.match(output, /does not match the checksum/);
});

test("a folder that is not a backup is refused with a message, and nothing is loaded", () => {
  const empty = join(folder, "no-backup");
  mkdirSync(empty);
  const restore = () => runScript("restore.ts", [empty, "--persist-to", join(folder, "other")]);
  for (const content of [undefined, "", "{}", "[]", "null", "not JSON", '{"sha256":1}']) {
    if (content !== undefined) writeFileSync(join(empty, "manifest.json"), content);
    const { status, output } = restore();
    assert.equal(status, 1, output);
    assert.match(output, /manifest\.json is missing or is not the manifest/);
    assert.doesNotMatch(output, /\n\s+at /);
  }
  copyFileSync(join(backup, "manifest.json"), join(empty, "manifest.json"));
  const { status, output } = restore();
  assert.deepEqual([status, /users\.sql is missing/.test(output)], [1, true], output);
});

for (const [what, sql, message] of [
  [
    "a reference to nobody",
    "update wallets set user_id = 'nobody' where user_id = (select min(user_id) from wallets)",
    /wallets \(user_id = "nobody"\), column user_id: the foreign key/,
  ],
  [
    "a reference to a document's missing owner",
    "update kyc set user_id = 'gone' where user_id = 'u2'",
    /kyc \(user_id = "gone"\), column user_id: the foreign key/,
  ],
  [
    "a key that fits into no statement",
    `insert into dead_letters (id, queue, reason, attempts, created_at)
      values (printf('%.45000c', 'k'), 'tasks', 'a reason', 1, 0)`,
    /dead_letters \(id = "k{100}"\), column id: the value is too long/,
  ],
] as const) {
  test(`a backup that fails because of ${what} names the row and leaves no data behind`, () => {
    const state = mkdtempSync(join(folder, "broken-"));
    cpSync(source(), state, { recursive: true });
    const file = new DatabaseSync(databaseFile(state, primary), { enableForeignKeyConstraints: false });
    file.exec(sql);
    file.close();
    const output = mkdtempSync(join(folder, "broken-backups-"));
    const taken = runScript("backup.ts", ["--persist-to", state, "--output", output]);
    assert.equal(taken.status, 1, taken.output);
    assert.match(taken.output, message);
    assert.doesNotMatch(taken.output, /\n\s+at /);
    assert.deepEqual(readdirSync(output), []);
  });
}

test("a backup into a folder that cannot be made fails with a message", () => {
  const taken = runScript("backup.ts", ["--persist-to", source(), "--output", join(folder, "front.jpg")]);
  assert.equal(taken.status, 1, taken.output);
  assert.match(taken.output, /^The backup failed, and nothing of it was kept: (ENOTDIR|EEXIST)/);
  assert.doesNotMatch(taken.output, /\n\s+at /);
});

test("a restore into a file that is no database fails with a message", () => {
  const state = join(folder, "no-database");
  const file = databaseFile(state, primary);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "no database".repeat(100));
  const { status, output } = runScript("restore.ts", [backup, "--persist-to", state]);
  assert.equal(status, 1, output);
  assert.match(output, /^The database could not be read, and nothing was loaded: file is not a database/);
  assert.doesNotMatch(output, /\n\s+at /);
});

test("a restored database that differs from the source is reported with the tables", () => {
  const other = join(folder, "other-source");
  mkdirSync(other);
  copyFileSync(join(backup, "users.sql"), join(other, "users.sql"));
  const manifest = JSON.parse(readFileSync(join(backup, "manifest.json"), "utf8"));
  const { users, wallets, points: _, ...others } = manifest.tables;
  const tables = { ...others, users: { ...users, sha256: "0".repeat(64) }, wallets: { ...wallets, rows: 3 } };
  writeFileSync(join(other, "manifest.json"), JSON.stringify({ ...manifest, tables }));
  const { status, output } = runScript("restore.ts", [other, "--persist-to", join(folder, "of-another-source")]);
  assert.equal(status, 1, output);
  assert.match(output, /differs from the source/);
  assert.match(output, /users: 3 rows, the backup has 3, with other values/);
  assert.match(output, /wallets: 2 rows, the backup has 3/);
  assert.match(output, /points: is not in the backup/);
});

test("the digest of a table detects a changed value, a missing row, a changed type and changed bytes", () => {
  const digest = (values: string) => {
    const database = new DatabaseSync(":memory:");
    database.exec(`create table t (a, b); insert into t (a, b) values ${values}`);
    const digests = digestDatabase(database);
    database.close();
    return digests;
  };
  const whole = digest("('1', 2), (cast(x'eda080' as text), null)");
  assert.deepEqual(compareDigests(whole, digest("('1', 2), (cast(x'eda080' as text), null)")), []);
  for (const other of [
    "('1', 3), (cast(x'eda080' as text), null)",
    "(1, 2), (cast(x'eda080' as text), null)",
    "('12', null), (cast(x'eda080' as text), null)",
    "('1', 2), (cast(x'eda080' as text), 'null')",
    "('1', 2.0), (cast(x'eda080' as text), null)",
    "('1', 2), (x'eda080', null)",
    "('1', 2), (cast(x'eda081' as text), null)",
    "('1', 2), (char(65533), null)",
    "('1' || char(0), 2), (cast(x'eda080' as text), null)",
  ]) {
    assert.deepEqual(compareDigests(whole, digest(other)), ["t: 2 rows, the backup has 2, with other values"], other);
  }
  assert.deepEqual(compareDigests(whole, digest("('1', 2)")), ["t: 1 rows, the backup has 2"]);
});

test("texts of any bytes, long rows and numbers are restored unchanged", () => {
  const state = join(folder, "any-bytes");
  cpSync(source(), state, { recursive: true });
  const file = new DatabaseSync(databaseFile(state, primary));
  const insert = file.prepare(`insert into devices
    (id, user_id, device_id, session_id, fcm_token, device_type, device_name, is_active, created_at, last_used_at)
    values (?, 'u1', cast(? as text), 's1', cast(? as text), 'WEB', cast(? as text), 1, 0, 0)`);
  const texts = [
    "00",
    "eda080",
    "eda081",
    "ff",
    "c3",
    "0a0d",
    "5c6e",
    "27",
    "efbfbd",
    "efbbbf",
    "e280a8",
    "00".repeat(90_000),
  ];
  for (const [i, hex] of texts.entries()) {
    const bytes = Buffer.from(hex, "hex");
    insert.run(`device ${i}`, bytes, bytes, Buffer.concat([bytes, Buffer.from("a'b".repeat(i * 20_000))]));
  }
  file.close();
  const output = join(folder, "any-bytes-backups");
  const taken = runScript("backup.ts", ["--persist-to", state, "--output", output]);
  assert.equal(taken.status, 0, taken.output);
  const [name = ""] = readdirSync(output);
  const lengths = readFileSync(join(output, name, "users.sql"), "utf8")
    .split(";\n")
    .map((each) => each.length);
  assert.ok(Math.max(...lengths) < 100_000, `D1 refuses a statement of ${Math.max(...lengths)} characters`);
  const again = join(folder, "any-bytes-restored");
  const { status, output: said } = runScript("restore.ts", [join(output, name), "--persist-to", again]);
  assert.equal(status, 0, said);
  const bytes =
    "select id, hex(device_id) device_id, hex(fcm_token) token, hex(device_name) name from devices order by id";
  assert.deepEqual(rows(again, primary, bytes), rows(state, primary, bytes));
  assert.equal(
    rows(again, primary, "select count(*) n from devices where device_name is not null")[0]?.n,
    BigInt(texts.length),
  );
});

test("a restore loads every row of the backup, and counts each user once", () => {
  const { status, output } = restoreOnce();
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
  assert.equal(restoreOnce().status, 0);
  const before = rows(restored(), primary, "select * from users order by 1");
  const { status, output } = runScript("restore.ts", [backup, "--persist-to", restored()]);
  assert.equal(status, 1, output);
  assert.match(output, /Nothing was changed/);
  assert.deepEqual(rows(restored(), primary, "select * from users order by 1"), before);
});

test("after a restore the job rebuilds the search database and the triggers keep counting", async () => {
  assert.equal(restoreOnce().status, 0);
  const server = await startDevServer("dev.ts", restored());
  try {
    const { status, output } = runScript("tasks.ts", ["run", "rebuild_user_search", "--base", server.base], {
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
