import worker from "../../src/index.ts";
import { countD1, newCounts } from "./counted-d1.ts";

// The real Worker with its D1 statements counted, those behind responses and of queues included. GET /bench/counts
// returns the totals since the start.

export * from "../../src/index.ts";

const counts = newCounts();
let known: Env | undefined;

/** The environment with counted databases; always the same object, because the Worker keeps state for each database. */
function counted(env: Env): Env {
  known ??= { ...env, DB: countD1(env.DB, counts), SEARCH_DB: countD1(env.SEARCH_DB, counts) };
  return known;
}

export default {
  ...worker,
  fetch(request: Request, env: Env, context: ExecutionContext) {
    if (new URL(request.url).pathname === "/bench/counts") return Response.json(counts);
    return worker.fetch(request, counted(env), context);
  },
  queue: (batch: MessageBatch, env: Env, context: ExecutionContext) =>
    worker.queue(batch as Parameters<typeof worker.queue>[0], counted(env), context),
};
