import type { BindingCall, Invocation, Scheduler } from "./scheduler.ts";

interface Wrapped {
  sql: string;
  database: D1Database;
  real: D1PreparedStatement;
}

const wrappedStatements = new WeakMap<object, Wrapped>();

/** A D1 database whose calls pass the gate; each batch takes effect atomically, as on the real primary. */
export function d1For(
  scheduler: Scheduler,
  invocation: Invocation,
  real: D1Database,
  binding: "D1" | "SEARCH_DB" = "D1",
): D1Database {
  const pass = <T>(operation: string, detail: string[], work: (call: BindingCall) => Promise<T>) =>
    scheduler.pass(invocation, { binding, operation, detail }, work);
  const count = (call: BindingCall, results: { meta?: { rows_read?: number; rows_written?: number } }[]) => {
    for (const { meta } of results) {
      call.rowsRead += meta?.rows_read ?? 0;
      call.rowsWritten += meta?.rows_written ?? 0;
      call.writtenByStatement.push(meta?.rows_written ?? 0);
    }
  };
  const wrap = (sql: string, statement: D1PreparedStatement): D1PreparedStatement => {
    const counted = (method: "all" | "run") =>
      pass(method, [sql], async (call) => {
        const result = await statement[method]();
        count(call, [result]);
        return result;
      });
    const wrapped = {
      bind: (...values: unknown[]) => wrap(sql, statement.bind(...values)),
      all: () => counted("all"),
      run: () => counted("run"),
      first: (column?: string) =>
        pass("first", [sql], () => (column === undefined ? statement.first() : statement.first(column))),
      raw: (options?: { columnNames?: false }) => pass("raw", [sql], () => statement.raw(options)),
    };
    wrappedStatements.set(wrapped, { sql, database: real, real: statement });
    return wrapped as unknown as D1PreparedStatement;
  };
  const unwrap = (statement: D1PreparedStatement): Wrapped => {
    const found = wrappedStatements.get(statement);
    if (found?.database !== real) throw new Error("a statement of another database");
    return found;
  };
  const database = {
    prepare: (sql: string) => wrap(sql, real.prepare(sql)),
    batch: (statements: D1PreparedStatement[]) => {
      const own = statements.map(unwrap);
      return pass(
        "batch",
        own.map(({ sql }) => sql),
        async (call) => {
          const results = await real.batch(own.map((each) => each.real));
          count(call, results);
          return results;
        },
      );
    },
    exec: (sql: string) => pass("exec", [sql], () => real.exec(sql)),
  };
  return database as unknown as D1Database;
}
