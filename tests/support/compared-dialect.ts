import type { SQL } from "drizzle-orm";
import { SQLiteAsyncDialect } from "drizzle-orm/sqlite-core";
import { expect } from "vitest";
import { OnePassDialect } from "../../src/platform/dialect.ts";

const { sqlToQuery } = OnePassDialect.prototype;
const drizzles = new SQLiteAsyncDialect();

function compared(this: OnePassDialect, statement: SQL, invokeSource?: "indexes") {
  const written = sqlToQuery.call(this, statement, invokeSource);
  const { sql, params } = drizzles.sqlToQuery(statement, invokeSource);
  const isSame =
    written.params.length === params.length && params.every((each, i) => Object.is(each, written.params[i]));
  if (written.sql !== sql || !isSame) expect(written).toEqual({ sql, params });
  return written;
}

/** From here on every statement must be what Drizzle's own dialect writes. */
export function compareDialects(): void {
  OnePassDialect.prototype.sqlToQuery = compared;
}
