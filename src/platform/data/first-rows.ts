import { type SQL, sql } from "drizzle-orm";
import { getTableConfig, type SQLiteTable } from "drizzle-orm/sqlite-core";

/** The names of the columns of the table's primary key, in its order. */
export function primaryKeyOf(table: SQLiteTable): string[] {
  const { columns, primaryKeys } = getTableConfig(table);
  const key = primaryKeys[0]?.columns ?? columns.filter((column) => column.primary);
  return key.map(({ name }) => name);
}

/**
 * The row is one of the rows that `rest` selects (what follows FROM and the table, with its limit). Bounds an UPDATE or
 * DELETE of any table, because SQLite has no LIMIT there.
 */
export function isOneOf(table: SQLiteTable, rest: SQL): SQL {
  const { name } = getTableConfig(table);
  const key = sql.join(
    primaryKeyOf(table).map((column) => sql.identifier(column)),
    sql`, `,
  );
  return sql`(${key}) in (select ${key} from ${sql.identifier(name)} ${rest})`;
}
