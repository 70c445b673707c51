import { databaseWith, reader } from "./databases.ts";
import type { Journal, Person } from "./journal.ts";
import { proveLedgers } from "./proof-ledgers.ts";
import { provePeople } from "./proof-people.ts";
import { proveProjections } from "./proof-projections.ts";
import type { ServerLog } from "./server-log.ts";

/** One thing that must be true, and where it is not. */
export interface Check {
  name: string;
  /** How many cases were looked at. */
  cases: number;
  violations: string[];
}

/** What the checks read. */
export interface Evidence {
  users: ReturnType<typeof reader>;
  search: ReturnType<typeof reader>;
  bucket: ReturnType<typeof reader>;
  journal: Journal;
  /** Of the journal's people those of whom everything is known. */
  people: Person[];
  log: ServerLog;
  /** Users that were there before the load. */
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

/** Holds the databases against what the clients were told: nothing lost, nothing doubled. */
export function prove(evidence: Evidence): Check[] {
  return [...provePeople(evidence), ...proveLedgers(evidence), ...proveProjections(evidence)];
}

/** A check of each of these cases; `violationOf` says what is wrong with one, or nothing. */
export function check<T>(name: string, cases: Iterable<T>, violationOf: (one: T) => string | undefined): Check {
  const all = [...cases];
  const violations = all.map(violationOf).filter((violation) => violation !== undefined);
  return { name, cases: all.length, violations };
}

/** What differs between what is and what must be; undefined where nothing does. */
export function differenceOf(of: string, actual: unknown, expected: unknown): string | undefined {
  const [is, must] = [JSON.stringify(actual), JSON.stringify(expected)];
  return is === must ? undefined : `${of}: ${is} instead of ${must}`;
}

/** A check that finds nothing: each row of the query is a violation. */
export function checkNone(name: string, rows: Record<string, unknown>[]): Check {
  return check(name, rows, (row) => JSON.stringify(row));
}

/** The rows by a column's value. */
export function rowsBy<R extends Record<string, unknown>>(rows: R[], column: string): Map<unknown, R[]> {
  return Map.groupBy(rows, (row) => row[column]);
}
