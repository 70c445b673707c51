import { resolve } from "node:path";
import { queryEach, queryPrimary, type Target } from "./operations/database.ts";
import { defaultState } from "./operations/local-database.ts";

/** Ends the command with a message. */
export function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

/** The folder of the local databases: PERSIST_TO, or wrangler's own. */
const state = process.env.PERSIST_TO ? resolve(process.env.PERSIST_TO) : defaultState;

/** Runs the statements on the primary, the local or production's, in one transaction, and gives the rows of the last. */
export function query(sql: string, { remote }: { remote: boolean }): Record<string, unknown>[] {
  return orFail(() => queryPrimary(targetOf(remote), sql));
}

/** As `query`, and gives the rows of each statement. */
export function queryAll(statements: readonly string[], { remote }: { remote: boolean }): Record<string, unknown>[][] {
  return orFail(() => queryEach(targetOf(remote), statements));
}

const targetOf = (remote: boolean): Target => (remote ? { remote } : { remote, state });

function orFail<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}
