import worker from "../../src/index.ts";
import { ROWS_HEADER } from "./rows-header.ts";

// The Worker as it is, for counting only: each answer says in a header what its statements read.

export * from "../../src/index.ts";

/** Only `batch`, since every statement of the app goes that way. */
function counted(database: D1Database, name: string, trips: string[]): D1Database {
  const batch = async (statements: D1PreparedStatement[]) => {
    const results = await database.batch(statements);
    trips.push(`${name}:${results.map(({ meta }) => meta.rows_read).join("+")}`);
    return results;
  };
  return { prepare: database.prepare.bind(database), batch } as unknown as D1Database;
}

export default {
  ...worker,
  async fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    const trips: string[] = [];
    const bindings = {
      ...env,
      DB: counted(env.DB, "DB", trips),
      SEARCH_DB: counted(env.SEARCH_DB, "SEARCH", trips),
    };
    const answer = await worker.fetch(request, bindings, context);
    const response = new Response(answer.body, answer);
    response.headers.set(ROWS_HEADER, trips.join(", "));
    return response;
  },
};
