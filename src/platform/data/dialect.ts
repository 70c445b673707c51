import { Column, Name, Param, Placeholder, type Query, SQL, StringChunk, sql, Table } from "drizzle-orm";
import { TypedQueryBuilder } from "drizzle-orm/query-builders/query-builder";
import { SQLiteAsyncDialect } from "drizzle-orm/sqlite-core";

/**
 * Compiles a statement in one pass over its chunks. Drizzle's own dialect checks the class of each chunk and
 * concatenates text and parameters at every level, which was most of the CPU time of a sign-in's statements. Rare
 * chunks are passed to Drizzle. Parameters are always bound, never inlined.
 */
export class OnePassDialect extends SQLiteAsyncDialect {
  /** Cached SQL names of tables and columns. */
  readonly #names = new WeakMap<object, string>();

  override sqlToQuery(statement: SQL, invokeSource?: "indexes"): Query {
    if (invokeSource !== undefined) return super.sqlToQuery(statement, invokeSource);
    const query: Query = { sql: "", params: [] };
    this.#write(statement, query);
    return query;
  }

  #write(chunk: unknown, query: Query): void {
    if (chunk === undefined) return;
    if (chunk instanceof StringChunk) {
      query.sql += chunk.value.join("");
    } else if (chunk instanceof SQL) {
      for (const each of chunk.queryChunks) this.#write(each, query);
    } else if (chunk instanceof Param && !(chunk.value instanceof Placeholder)) {
      const value = chunk.value === null ? null : chunk.encoder.mapToDriverValue(chunk.value);
      if (value instanceof SQL) this.#write(value, query);
      else bind(value, query);
    } else if (chunk instanceof Name) {
      query.sql += this.escapeName(chunk.value);
    } else if (chunk instanceof Column || chunk instanceof Table) {
      query.sql += this.#nameOf(chunk);
    } else if (Array.isArray(chunk)) {
      this.#writeList(chunk, query);
    } else if (chunk instanceof TypedQueryBuilder) {
      this.#writeList([chunk.getSQL()], query);
    } else if (typeof chunk === "object" && chunk !== null) {
      const written = super.sqlToQuery(sql`${chunk}`);
      query.sql += written.sql;
      query.params.push(...written.params);
    } else {
      bind(chunk, query);
    }
  }

  #writeList(chunks: unknown[], query: Query): void {
    query.sql += "(";
    for (const [i, each] of chunks.entries()) {
      if (i > 0) query.sql += ", ";
      this.#write(each, query);
    }
    query.sql += ")";
  }

  #nameOf(named: Column | Table): string {
    const cached = this.#names.get(named);
    if (cached !== undefined) return cached;
    const { sql: name } = super.sqlToQuery(sql`${named}`);
    this.#names.set(named, name);
    return name;
  }
}

function bind(value: unknown, query: Query): void {
  query.sql += "?";
  query.params.push(value);
}
