import worker from "../../src/index.ts";
import { ROWS_HEADER, type SentStatement, STATEMENTS_HEADER } from "./observed.ts";

// The real Worker, observed: each response reports the rows that its statements read or, on request, the statements.

export * from "../../src/index.ts";

interface Observed {
  trips: string[];
  statements: SentStatement[];
}

/** Covers only what routes use: they prepare, bind and send everything by `batch`. */
function observe(database: D1Database, name: string, { trips, statements }: Observed): D1Database {
  const sent = new WeakMap<D1PreparedStatement, SentStatement>();
  const prepare = (sql: string) => {
    const statement = database.prepare(sql);
    const bind = (...params: unknown[]) => {
      const bound = statement.bind(...params);
      sent.set(bound, { sql, params });
      return bound;
    };
    return { bind };
  };
  const batch = async (bound: D1PreparedStatement[]) => {
    const results = await database.batch(bound);
    trips.push(`${name}:${results.map(({ meta }) => meta.rows_read).join("+")}`);
    statements.push(...bound.flatMap((each) => sent.get(each) ?? []));
    return results;
  };
  return { prepare, batch } as unknown as D1Database;
}

export default {
  ...worker,
  async fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    const observed: Observed = { trips: [], statements: [] };
    const DB = observe(env.DB, "DB", observed);
    const SEARCH_DB = observe(env.SEARCH_DB, "SEARCH", observed);
    const answer = await worker.fetch(request, { ...env, DB, SEARCH_DB }, context);
    const isAsked = request.headers.has(STATEMENTS_HEADER) && answer.ok;
    const response = new Response(isAsked ? JSON.stringify(observed.statements) : answer.body, answer);
    response.headers.set(ROWS_HEADER, observed.trips.join(", "));
    return response;
  },
};
