import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import {
  addMigration,
  generateInitial,
  migratedDatabases,
  Released,
  writeInitial,
} from "../../scripts/migrations/generate.ts";
import { root } from "../../scripts/operations/wrangler.ts";

/** The SQL of the committed migrations of a folder, in order. */
const committed = (migrations: string) =>
  readdirSync(join(root, migrations))
    .filter((file) => file.endsWith(".sql"))
    .sort()
    .map((file) => readFileSync(join(root, migrations, file), "utf8"));

function databaseOf(...scripts: string[]): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  for (const script of scripts) database.exec(script.replaceAll("--> statement-breakpoint", ""));
  return database;
}

/** Tables, columns, keys, indexes and triggers, without the wording of the statements that made tables. */
function layoutOf(database: DatabaseSync): unknown[] {
  const tables = database.prepare(`select name, type, wr from pragma_table_list where schema = 'main' order by name`);
  return tables.all().map((table) => {
    const of = (pragma: string) => database.prepare(`select * from ${pragma}(?)`).all(String(table.name));
    const indexes = database
      .prepare("select name, type, sql from sqlite_schema where tbl_name = ? and type <> 'table' order by name")
      .all(String(table.name));
    return { ...table, columns: of("pragma_table_xinfo"), keys: of("pragma_foreign_key_list"), indexes };
  });
}

/** A copy of the search database's migrations, for which `schema` is the text of a schema file. */
function copyWith(context: TestContext, schema: string) {
  const [, search] = migratedDatabases;
  assert.ok(search);
  mkdirSync(join(root, "dist"), { recursive: true });
  const folder = mkdtempSync(join(root, "dist", "later-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "schema.ts");
  const changed = { ...search, migrations: relative(root, join(folder, "migrations")), schema: relative(root, file) };
  writeFileSync(file, 'export * from "../../src/db/search.ts";\n');
  writeInitial(changed);
  writeFileSync(file, `export * from "../../src/db/search.ts";\n${schema}`);
  return changed;
}

for (const database of migratedDatabases) {
  const { migrations } = database;

  test(`the SQL in ${migrations} is what npm run db:generate generates from the schema`, () => {
    const scripts = committed(migrations);
    const { sql } = generateInitial(database);
    if (scripts.length === 1) assert.deepEqual(scripts, [sql]);
    assert.deepEqual(layoutOf(databaseOf(...scripts)), layoutOf(databaseOf(sql)));
  });

  test(`each table in ${migrations} is WITHOUT ROWID, unless its primary key is a single integer`, () => {
    const fresh = databaseOf(...committed(migrations));
    const tables = fresh.prepare(
      "select name, wr from pragma_table_list where schema = 'main' and type = 'table' and name not like 'sqlite%'",
    );
    for (const { name, wr } of tables.all()) {
      const columns = fresh.prepare("select type from pragma_table_info(?) where pk > 0").all(String(name));
      const isInteger = columns.length === 1 && columns[0]?.type === "INTEGER";
      assert.equal(wr, isInteger ? 0 : 1, String(name));
    }
  });
}

const NEW_TABLE = `
import { sqliteTable, text } from "drizzle-orm/sqlite-core";
export const added = sqliteTable("added", { id: text("id").primaryKey() });
`;

test("a migration after the first release contains only the changes, and its new tables are WITHOUT ROWID", (t) => {
  const changed = copyWith(t, NEW_TABLE);
  assert.deepEqual(addMigration(changed, "added_table"), ["0001_added_table.sql"]);
  assert.equal(
    readFileSync(join(root, changed.migrations, "0001_added_table.sql"), "utf8"),
    "CREATE TABLE `added` (\n\t`id` text PRIMARY KEY NOT NULL\n) WITHOUT ROWID;\n",
  );
  assert.deepEqual(addMigration(changed, "nothing"), []);
  // The initial migration is released then, so it is not written again.
  const fresh = copyWith(t, "");
  const initial = join(root, fresh.migrations, "0000_initial.sql");
  writeFileSync(initial, "-- as it was");
  assert.throws(() => writeInitial(fresh, changed), Released);
  assert.equal(readFileSync(initial, "utf8"), "-- as it was", "one released database keeps both");
});
