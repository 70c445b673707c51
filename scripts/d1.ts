import { queryEach, queryPrimary, type Target } from "./operations/database.ts";
import { stateFolder } from "./operations/local-database.ts";

/** Prints the message and exits with status 1. */
export function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

/**
 * Runs the statements in one transaction on the local or the production primary and returns the rows of the last one.
 */
export function query(sql: string, { remote }: { remote: boolean }): Record<string, unknown>[] {
  return orFail(() => queryPrimary(targetOf(remote), sql));
}

/** As `query`, but returns the rows of each statement. */
export function queryAll(statements: readonly string[], { remote }: { remote: boolean }): Record<string, unknown>[][] {
  return orFail(() => queryEach(targetOf(remote), statements));
}

const targetOf = (remote: boolean): Target => (remote ? { remote } : { remote, state: stateFolder() });

function orFail<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}
