import { and, asc, eq, gt, inArray, type SQL, sql } from "drizzle-orm";
import { alias, integer, SQLiteAsyncDialect, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { expect, it } from "vitest";
import { OnePassDialect } from "../../../src/platform/data/dialect.ts";
import { drizzleOn } from "../../../src/platform/data/drizzle.ts";

const things = sqliteTable("things", {
  id: text("id").primaryKey(),
  name: text('na"me'),
  flag: integer("flag", { mode: "boolean" }).notNull(),
  data: text("data", { mode: "json" }),
  at: integer("at", { mode: "timestamp_ms" }),
});
const others = alias(things, "others");
const db = drizzleOn({} as D1Database);
const recent = db
  .select({ id: things.id, at: things.at })
  .from(things)
  .where(gt(things.at, new Date(7)));
const row = { id: "1", name: null, flag: true, data: { a: [1] }, at: new Date(5) };

const statements: Record<string, { getSQL(): SQL }> = {
  "a text alone": sql`select 1`,
  nothing: sql.empty(),
  "values of every type": sql`select ${1}, ${"'"}, ${null}, ${true}, ${undefined}, ${[1, sql`now()`, []]}`,
  "raw text, names and lists": sql`select ${sql.raw("max(1, 2)")} ${sql.identifier('a"b')} ${sql.join([sql`a`, 2], sql`, `)}`,
  "values by their columns": sql`${sql.param(true, things.flag)} ${sql.param({ a: 1 }, things.data)} ${sql.param(null, things.data)}`,
  "tables, columns and their aliases": sql`${things} ${things.name} ${others} ${others.name} ${sql`1`.as("one")}`,
  placeholders: sql`${sql.placeholder("a")} ${sql.param(sql.placeholder("b"), things.flag)}`,
  "an object that encodes itself as SQL": sql`${sql.param(1, { mapToDriverValue: (value) => sql`json(${value})` })}`,
  "a statement in a statement": sql`exists ${recent} or ${things.id} in ${recent}`,
  "a SELECT with joins, sub-queries and order": db
    .select({ id: things.id, n: sql<number>`count(*)`.as("n") })
    .from(things)
    .leftJoin(others, eq(others.id, things.id))
    .innerJoin(recent.as("recent"), sql`recent.id = ${things.id}`)
    .where(and(inArray(things.id, ["1", "2"]), eq(things.flag, false)))
    .groupBy(things.id)
    .orderBy(asc(things.name), sql`2`)
    .limit(3)
    .offset(1),
  "a WITH": db.with(db.$with("w").as(recent)).select().from(db.$with("w").as(recent)),
  "an INSERT of rows": db
    .insert(things)
    .values([row, { ...row, id: "2", data: null }])
    .returning(),
  "an INSERT … SELECT": db.insert(things).select(sql`select ${"1"}, null, ${1} where ${eq(things.id, "1")}`),
  "an UPSERT": db
    .insert(things)
    .values(row)
    .onConflictDoUpdate({ target: things.id, set: { name: sql`excluded.name` } }),
  "an UPDATE": db
    .update(things)
    .set({ flag: false, at: new Date(9), name: sql`${things.name} || ${"x"}` })
    .where(eq(things.id, "1"))
    .returning({ id: things.id }),
  "a DELETE": db.delete(things).where(sql`${things.data} ->> ${"a"} is ${null}`),
};

it.each(Object.entries(statements))("produces the same SQL as Drizzle: %s", (_, statement) => {
  const { sql: text, params } = new SQLiteAsyncDialect().sqlToQuery(statement.getSQL());
  const dialect = new OnePassDialect();
  expect(dialect.sqlToQuery(statement.getSQL())).toEqual({ sql: text, params });
  // Once more, with cached names.
  expect(dialect.sqlToQuery(statement.getSQL())).toEqual({ sql: text, params });
});
