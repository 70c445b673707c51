import type { Deps } from "../deps.ts";
import { AppError } from "../http/errors.ts";
import { type DistinctNames, type Results, runBatch } from "./database.ts";
import { Batch, compile, type Statements } from "./prepared.ts";

type Given = Statements | Batch<Statements>;

/** One atomic change: what it writes, and what it reads afterwards in the same transaction. */
export interface Change<W extends Given, R extends Given> {
  writes: W;
  reads: R & DistinctNames<W, R>;
  /** Whether the rows read show that this invocation's writes are in the database. */
  isCommitted: (found: Results<R>) => boolean;
}

/**
 * Runs the writes and then the reads as one transaction. If the answer is lost, runs the reads once more, and
 * `isCommitted` decides whether the writes took effect.
 *
 * @returns the result of each statement by name. The results of the writes are absent if only the second read shows
 *   that they took effect; the cron then publishes their events.
 * @throws AppError `rate_limit_exceeded` as `runBatch` does, without a second read, because nothing was written;
 *   otherwise the error of the batch, if the second read fails too or shows that nothing was written.
 */
export async function commit<W extends Given, R extends Given>(
  deps: Pick<Deps, "db" | "log"> & Partial<Pick<Deps, "queries">>,
  { writes, reads, isCommitted }: Change<W, R>,
): Promise<Results<R> & Partial<Results<W>>> {
  const read = compile(reads);
  const all = new Batch([...compile(writes).queries, ...read.queries]);
  try {
    return (await runBatch(deps, all)) as Results<R> & Partial<Results<W>>;
  } catch (error) {
    return (await readMarker(deps, error, read, isCommitted)) as Results<R> & Partial<Results<W>>;
  }
}

/** An atomic change whose writes return all that the caller needs; it reads only if the answer is lost. */
interface AnsweringChange<W extends Given, R extends Given> {
  writes: W;
  /** Runs only if the answer is lost; built only then. */
  reads: () => R;
  isCommitted: (found: Results<R>) => boolean;
}

/**
 * Runs the writes as one transaction. If the answer is lost, runs the reads once, and `isCommitted` decides whether the
 * writes took effect.
 *
 * @returns `written` if the answer arrived, `found` if only the reads show that the writes took effect.
 * @throws as `commit` does.
 */
export async function commitAnswering<W extends Given, R extends Given>(
  deps: Pick<Deps, "db" | "log"> & Partial<Pick<Deps, "queries">>,
  { writes, reads, isCommitted }: AnsweringChange<W, R>,
): Promise<{ written: Results<W>; found?: never } | { written?: never; found: Results<R> }> {
  try {
    return { written: await runBatch(deps, writes) };
  } catch (error) {
    return { found: await readMarker(deps, error, compile<Statements>(reads()), isCommitted) };
  }
}

/** Returns the rows that show that the batch was committed although its answer was lost. @throws `error` otherwise. */
async function readMarker<R>(
  deps: Parameters<typeof runBatch>[0],
  error: unknown,
  reads: Batch<Statements>,
  isCommitted: (found: R) => boolean,
): Promise<R> {
  const isUnknown = error instanceof AppError && error.code === "service_unavailable";
  if (!isUnknown) throw error;
  const found = (await runBatch(deps, reads).catch(() => undefined)) as R | undefined;
  if (!found || !isCommitted(found)) throw error;
  return found;
}
