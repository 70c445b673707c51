import { databaseWith, reader } from "./databases.ts";
import type { Journal, Person } from "./journal.ts";
import { proveLedgers } from "./proof-ledgers.ts";
import { provePeople } from "./proof-people.ts";
import { proveProjections } from "./proof-projections.ts";
import type { ServerLog } from "./server-log.ts";

/** A condition that must hold, and its violations. */
export interface Check {
  name: string;
  /** Number of cases checked. */
  cases: number;
  violations: string[];
}

/** The data that the checks read. */
export interface Evidence {
  users: ReturnType<typeof reader>;
  search: ReturnType<typeof reader>;
  bucket: ReturnType<typeof reader>;
  journal: Journal;
  /** Users of the journal about whom everything is known. */
  people: Person[];
  log: ServerLog;
  /** Users that existed before the load. */
  before: ReadonlySet<string>;
}

/** Opens the local databases for reading. */
export function gatherEvidence(
  persist: string,
  journal: Journal,
  log: ServerLog,
  before: ReadonlySet<string>,
): Evidence {
  return {
    users: reader(databaseWith(persist, "d1", "users")),
    search: reader(databaseWith(persist, "d1", "search_entries")),
    bucket: reader(databaseWith(persist, "r2", "_mf_objects")),
    journal,
    people: journal.people.filter(({ isUncertain }) => !isUncertain),
    log,
    before,
  };
}

/** Compares the databases with what the responses reported: nothing lost, nothing duplicated. */
export function prove(evidence: Evidence): Check[] {
  return [...provePeople(evidence), ...proveLedgers(evidence), ...proveProjections(evidence)];
}

/** Checks each case; `violationOf` returns what is wrong with it, or undefined. */
export function check<T>(name: string, cases: Iterable<T>, violationOf: (one: T) => string | undefined): Check {
  const all = [...cases];
  const violations = all.map(violationOf).filter((violation) => violation !== undefined);
  return { name, cases: all.length, violations };
}

/** The difference between the actual and the expected value; undefined if there is none. */
export function differenceOf(of: string, actual: unknown, expected: unknown): string | undefined {
  const [is, must] = [JSON.stringify(actual), JSON.stringify(expected)];
  return is === must ? undefined : `${of}: ${is} instead of ${must}`;
}

/** A check whose query must return no rows: each row is a violation. */
export function checkNone(name: string, rows: Record<string, unknown>[]): Check {
  return check(name, rows, (row) => JSON.stringify(row));
}

/** Groups rows by a column's value. */
export function rowsBy<R extends Record<string, unknown>>(rows: R[], column: string): Map<unknown, R[]> {
  return Map.groupBy(rows, (row) => row[column]);
}
