const CREATE_TABLE = /^CREATE TABLE `\w+` \([\s\S]*?^\);$/gm;

/**
 * Adds `WITHOUT ROWID` to each CREATE TABLE statement whose primary key is not one integer. Such a table is stored in
 * its primary key, so that an insert writes one row less; Drizzle Kit cannot express this.
 */
export function storeByKey(sql: string): string {
  return sql.replaceAll(CREATE_TABLE, (statement) =>
    statement.includes("integer PRIMARY KEY") ? statement : statement.replace(/\);$/, ") WITHOUT ROWID;"),
  );
}
