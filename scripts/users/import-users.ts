import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate as letSignalsArrive } from "node:timers/promises";
import { queryPrimary, querySearch, runFile, type Target } from "../operations/database.ts";
import { databaseFile, localDatabases } from "../operations/local-database.ts";
import { rebuildDue } from "../operations/search-rebuild.ts";
import { withSnapshot } from "../operations/take-dump.ts";
import { inTemporaryFolder } from "../operations/unfinished.ts";
import {
  addTotals,
  type ImportRun,
  insertUsers,
  newImportRun,
  noTotals,
  type Totals,
  totalsOf,
} from "./insert-users.ts";
import { freshUsers, type Staged, stageUsers } from "./stage-users.ts";

/** Users of one transaction: after an interruption the earlier ones stay, and the next run inserts the others. */
const USERS_PER_TRANSACTION = 6_000;

export interface Import {
  file: string;
  target: Target;
  isDryRun: boolean;
  smsCountries: string[];
  now: number;
  /** Users of one transaction; `USERS_PER_TRANSACTION` if absent. */
  perTransaction?: number;
  onProgress(step: string, done: number): void;
}

/** What an import found and did; `inserted` is absent if nothing was to be inserted. */
export interface Imported {
  staged: Staged;
  wanted: Totals;
  inserted: Totals | undefined;
}

/**
 * Checks the whole file, and imports it only if no line is refused. Then compares number and sums of what was inserted
 * with the file.
 */
export async function importUsers(given: Import): Promise<Imported> {
  return await inTemporaryFolder("import", (folder) => importFrom(given, folder));
}

async function importFrom(given: Import, folder: string): Promise<Imported> {
  const staging = new DatabaseSync(join(folder, "staging.sqlite"));
  try {
    staging.exec("pragma journal_mode = off; pragma synchronous = off");
    const staged = await stage(given, staging, folder);
    const wanted = noTotals();
    const { perTransaction = USERS_PER_TRANSACTION } = given;
    for (const users of freshUsers(staging, perTransaction)) addTotals(wanted, users);
    if (staged.refused > 0 || given.isDryRun) return { staged, wanted, inserted: undefined };
    if (staged.fresh === 0) {
      // An earlier run may have ended after its last transaction and before this statement.
      if (staged.existing > 0) queryPrimary(given.target, rebuildDue(given.now));
      return { staged, wanted, inserted: undefined };
    }
    const run = newImportRun(given.now);
    await load(given, staging, run, folder);
    queryPrimary(given.target, rebuildDue(run.startedAt));
    const [row] = queryPrimary(given.target, totalsOf(run));
    const [users, balanceMinor] = [Number(row?.users), Number(row?.balance)];
    const inserted = { users, balanceMinor, currentPoints: Number(row?.current), totalPoints: Number(row?.total) };
    return { staged, wanted, inserted };
  } finally {
    staging.close();
  }
}

function stage(given: Import, staging: DatabaseSync, folder: string): Promise<Staged> {
  const { file, target, smsCountries, now, onProgress } = given;
  const deleted = querySearch(target, "select user_id from deleted_accounts").map(({ user_id }) => String(user_id));
  return withSnapshot(target, folder, (primary) =>
    stageUsers(file, staging, primary, deleted, { smsCountries, now }, (lines) => onProgress("lines read", lines)),
  );
}

/** Inserts the fresh users: directly into a local database, by files of SQL into production's. */
async function load(
  { target, onProgress, perTransaction = USERS_PER_TRANSACTION }: Import,
  staging: DatabaseSync,
  run: ImportRun,
  folder: string,
): Promise<void> {
  const local = target.remote
    ? undefined
    : new DatabaseSync(databaseFile(target.state, localDatabases[0]), { timeout: 10_000 });
  // The default cache is too small for the pages of a transaction.
  local?.exec("pragma cache_size = -262144");
  let done = 0;
  try {
    for (const users of freshUsers(staging, perTransaction)) {
      const statements = insertUsers(users, run);
      if (local) {
        local.exec("begin immediate");
        for (const statement of statements) local.exec(statement);
        local.exec("commit");
      } else {
        const path = join(folder, "part.sql");
        writeFileSync(path, statements.map((statement) => `${statement};\n`).join(""), { mode: 0o600 });
        runFile(target, path);
      }
      done += users.length;
      onProgress("users inserted", done);
      await letSignalsArrive();
    }
  } finally {
    // Undoes a transaction that was not committed.
    local?.close();
  }
}

/** Whether the totals are equal. */
export const areEqual = (a: Totals, b: Totals) =>
  a.users === b.users &&
  a.balanceMinor === b.balanceMinor &&
  a.currentPoints === b.currentPoints &&
  a.totalPoints === b.totalPoints;
