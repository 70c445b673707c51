import type { SQL } from "drizzle-orm";
import type { Statement } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";

/** What a job may use. */
export type JobDeps = Pick<Deps, "db" | "searchDb" | "bucket" | "now" | "newId" | "invocationId" | "log">;

/** A bounded piece of a job, as the statements of one batch. */
export interface Chunk {
  /** Each of them must ask for the fence; `changed` gives a row for each row that it changed. */
  statements: { changed: Statement & { _: { result: unknown[] } } } & Record<string, Statement>;
  /** Told the rows that each statement gave, once they are committed. */
  committed?(results: Readonly<Record<string, readonly unknown[]>>): void;
  /** Where the next chunk begins, given how many rows changed; undefined when the job is done. */
  next(changed: number): string | undefined;
}

/** Periodic work, done in chunks that may be repeated without a second effect. */
export interface Job {
  /** As the contract names it. */
  name: string;
  /** How often it is due, in milliseconds; periods begin at its multiples, UTC. Undefined: only when asked for by hand. */
  everyMs: number | undefined;
  /** How long after the period's beginning it is due, in milliseconds. */
  offsetMs?: number;
  /**
   * Plans the chunk that begins at `cursor` (null at first). What must be read or done outside the database comes first,
   * here: it must bear being done again, and by an invocation that has lost its lease.
   *
   * @param fence holds while this invocation leases the run, so that a chunk of a lost lease changes nothing.
   */
  planChunk(deps: JobDeps, cursor: string | null, fence: SQL): Chunk | Promise<Chunk>;
}
