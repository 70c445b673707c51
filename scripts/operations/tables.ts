import type { DatabaseSync } from "node:sqlite";

/** A table of a database, as SQLite describes it. */
export interface Table {
  name: string;
  /** Primary key, in its order; `rowid` for a table without one. */
  key: string[];
  /** Columns that are not generated. */
  stored: string[];
  /** All columns, generated ones included, sorted. */
  columns: string[];
}

/** A name as a SQL identifier. */
export const quoteName = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** The names of all tables, except the internal ones of D1 and SQLite. */
const OWN_TABLES = `select name from sqlite_master where type = 'table'
  and name not glob 'sqlite_*' and name not glob '_cf_*' order by name`;

/** The tables of the application, each after the tables that its foreign keys refer to. */
export function listTables(database: DatabaseSync): Table[] {
  const names = database.prepare(OWN_TABLES).all();
  const ordered = new Set<string>();
  const add = (name: string, waiting: readonly string[]): void => {
    if (ordered.has(name) || waiting.includes(name)) return;
    for (const { table } of database.prepare(`pragma foreign_key_list(${quoteName(name)})`).all()) {
      add(String(table), [...waiting, name]);
    }
    ordered.add(name);
  };
  for (const { name } of names) add(String(name), []);
  return [...ordered].map((name) => describeTable(database, name));
}

function describeTable(database: DatabaseSync, name: string): Table {
  const columns = database.prepare(`pragma table_xinfo(${quoteName(name)})`).all();
  const nameOf = (column: Record<string, unknown>) => String(column.name);
  const key = columns.filter(({ pk }) => Number(pk) > 0).sort((a, b) => Number(a.pk) - Number(b.pk));
  return {
    name,
    key: key.length > 0 ? key.map(nameOf) : ["rowid"],
    stored: columns.filter(({ hidden }) => Number(hidden) === 0).map(nameOf),
    columns: columns.map(nameOf).sort(),
  };
}

/** A row's key for people: `user_id = 'u1'`. */
export function describeKey({ key }: Table, row: Record<string, unknown>): string {
  return key.map((column) => `${column} = ${JSON.stringify(row[column])}`).join(", ");
}

/**
 * Checks that every foreign key refers to a row.
 *
 * @throws Error that names table, key and column of the first row that does not.
 */
export function checkReferences(database: DatabaseSync): void {
  for (const table of listTables(database)) {
    for (const reference of database.prepare(`pragma foreign_key_list(${quoteName(table.name)})`).all()) {
      const [column, parent] = [quoteName(String(reference.from)), quoteName(String(reference.table))];
      const to = quoteName(String(reference.to ?? "rowid"));
      const [row] = database
        .prepare(`select ${table.key.map(quoteName).join(", ")} from ${quoteName(table.name)} child
          where ${column} is not null and not exists (select 1 from ${parent} parent where parent.${to} = child.${column})
          limit 1`)
        .all();
      if (row) {
        const place = `${table.name} (${describeKey(table, row)}), column ${reference.from}`;
        throw new Error(`${place}: the foreign key names a row of ${reference.table} that does not exist`);
      }
    }
  }
}
