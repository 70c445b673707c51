import type { SQL } from "drizzle-orm";
import type { Statement } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";

/** Dependencies available to a job. */
export type JobDeps = Pick<Deps, "db" | "searchDb" | "bucket" | "now" | "newId" | "invocationId" | "log">;

/** A bounded part of a job, as the statements of one batch. */
export interface Chunk {
  /** Each statement must include the fence. `changed` returns one row per changed row. */
  statements: { changed: Statement & { _: { result: unknown[] } } } & Record<string, Statement>;
  /** Called with the rows of each statement once the batch is committed. */
  committed?(results: Readonly<Record<string, readonly unknown[]>>): void;
  /** Cursor of the next chunk, given the number of changed rows; undefined if the job is done. */
  next(changed: number): string | undefined;
}

/** Periodic work, done in chunks that are safe to repeat. */
export interface Job {
  /** Stable name, used in logs and in `job_runs`. */
  name: string;
  /** Period in milliseconds. Undefined if the job runs only on request. */
  everyMs: number | undefined;
  /** When each period begins and the job is due, in milliseconds after a multiple of `everyMs` in UTC. Default: 0. */
  offsetMs?: number;
  /**
   * Plans the chunk at `cursor` (null for the first). Reads and effects outside the database happen here, before the
   * batch: they must be safe to repeat, even by an invocation that has lost its lease.
   *
   * @param fence true while this invocation holds the run's lease, so that a chunk without the lease changes nothing.
   */
  planChunk(deps: JobDeps, cursor: string | null, fence: SQL): Chunk | Promise<Chunk>;
}

/** The start of the job's period at `now`, in epoch milliseconds; undefined if the job runs only on request. */
export function periodAt(
  { everyMs, offsetMs = 0 }: Pick<Job, "everyMs" | "offsetMs">,
  now: number,
): number | undefined {
  return everyMs === undefined ? undefined : Math.floor((now - offsetMs) / everyMs) * everyMs + offsetMs;
}
