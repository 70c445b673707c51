/** What D1 reports that its statements read and wrote, and the round trips to it. */
export interface D1Counts {
  trips: number;
  rowsRead: number;
  rowsWritten: number;
}

export const newCounts = (): D1Counts => ({ trips: 0, rowsRead: 0, rowsWritten: 0 });

/**
 * A database that adds what each statement reports to `counts`.
 *
 * @returns a database that supports what the compared Workers use; `raw` throws, because its answer reports no rows.
 */
export function countD1(database: D1Database, counts: D1Counts): D1Database {
  const inner = new WeakMap<object, D1PreparedStatement>();

  function add(results: readonly D1Result[]): void {
    counts.trips += 1;
    for (const { meta } of results) {
      counts.rowsRead += meta.rows_read;
      counts.rowsWritten += meta.rows_written;
    }
  }

  function wrap(statement: D1PreparedStatement): D1PreparedStatement {
    const all = async <T>() => {
      const result = await statement.all<T>();
      add([result]);
      return result;
    };
    const wrapped = {
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      all,
      run: all,
      first: async (column?: string) => {
        const [row] = (await all<Record<string, unknown>>()).results;
        return (column === undefined ? row : row?.[column]) ?? null;
      },
      raw: () => {
        throw new Error("rows of raw() cannot be counted");
      },
    } as unknown as D1PreparedStatement;
    inner.set(wrapped, statement);
    return wrapped;
  }

  return {
    // Better Auth knows a D1 database by this method.
    exec: (sql: string) => database.exec(sql),
    prepare: (sql: string) => wrap(database.prepare(sql)),
    batch: async <T>(statements: D1PreparedStatement[]) => {
      const results = await database.batch<T>(statements.map((each) => inner.get(each) ?? each));
      add(results);
      return results;
    },
  } as unknown as D1Database;
}
