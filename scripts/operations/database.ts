import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { databaseFile, defaultState, type LocalDatabase, localDatabases } from "./local-database.ts";
import { loadStatements } from "./statements.ts";
import { readJsonOutput, root, wranglerIn } from "./wrangler.ts";

/** The production primary, or the local one in a folder. */
export type Target = { remote: true } | { remote: false; state: string };

const configPath = join(root, "wrangler.toml");
const wrangler = wranglerIn(root);

const flags = (target: Target) =>
  target.remote ? ["--remote", "--env", "production"] : ["--local", "--persist-to", target.state];

function run(args: readonly string[]): string {
  const { ok, stdout, output } = wrangler(args);
  if (!ok) throw new Error(`wrangler ${args.slice(0, 3).join(" ")}\n${output}`);
  return stdout;
}

type Row = Record<string, unknown>;

/** How long a command waits for a server that is writing, in milliseconds. */
const BUSY_MS = 10_000;

/** Runs the statements on the primary in one transaction and returns the rows of each. */
export function queryEach(target: Target, statements: readonly string[]): Row[][] {
  return queryDatabase(target, localDatabases[0], statements);
}

/** Runs a statement on the search database and returns its rows. */
export function querySearch(target: Target, sql: string): Row[] {
  return queryDatabase(target, localDatabases[1], [sql]).at(-1) ?? [];
}

function queryDatabase(target: Target, database: LocalDatabase, statements: readonly string[]): Row[][] {
  if (!target.remote) return queryLocal(databaseFile(target.state, database), statements.flatMap(splitStatements));
  const command = ["d1", "execute", database.binding, ...flags(target), "--json", "--command", statements.join(";\n")];
  const stdout = run(command);
  return (readJsonOutput(stdout) as { results: Row[] }[]).map(({ results }) => results);
}

/** Runs the statements on the primary in one transaction and returns the rows of the last one. */
export function queryPrimary(target: Target, sql: string): Row[] {
  return queryEach(target, [sql]).at(-1) ?? [];
}

/** Reads and writes the file, also while a server has it open: starting wrangler takes seconds. */
function queryLocal(file: string, statements: readonly string[]): Row[][] {
  if (!existsSync(file)) throw new Error(`There is no local database ${file}. Create it with: npm run dev`);
  const database = new DatabaseSync(file, { timeout: BUSY_MS });
  try {
    database.exec("begin immediate");
    const results = statements.map((statement) =>
      database
        .prepare(statement)
        .all()
        .map((row) => ({ ...row })),
    );
    database.exec("commit");
    return results;
  } finally {
    // Closing undoes a transaction that was not committed.
    database.close();
  }
}

/** Splits SQL at the semicolons outside quotation marks; it must contain neither comments nor triggers. */
export function splitStatements(sql: string): string[] {
  const parts = sql.match(/(?:'[^']*'|"[^"]*"|[^;'"]+)+/g) ?? [];
  return parts.filter((part) => part.trim() !== "");
}

/** Exports the primary to a SQL file; D1 serves no other queries during the export. */
export function exportPrimary(target: Target, file: string): void {
  if (target.remote) {
    run(["d1", "export", "DB", ...flags(target), "--skip-confirmation", "--output", file]);
    return;
  }
  if (target.state === defaultState) {
    run(["d1", "export", "DB", "--local", "--output", file]);
    return;
  }
  // `d1 export` has no folder option and looks for the state next to the configuration file.
  const folder = mkdtempSync(join(tmpdir(), "users-api-export-"));
  try {
    copyFileSync(configPath, join(folder, "wrangler.toml"));
    mkdirSync(join(folder, ".wrangler"));
    symlinkSync(target.state, join(folder, ".wrangler", "state"), "dir");
    run(["d1", "export", "DB", "--local", "--config", join(folder, "wrangler.toml"), "--output", file]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const COUNT = `select count(*) as tables from sqlite_master
  where type = 'table' and name not glob 'sqlite_*' and name not glob '_cf_*'`;

/** Number of tables of the primary; 0 for a local one that does not exist. */
export function countTables(target: Target): number {
  if (target.remote) return Number(queryPrimary(target, COUNT)[0]?.tables);
  const file = primaryFile(target.state);
  if (!existsSync(file)) return 0;
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return Number(database.prepare(COUNT).get()?.tables);
  } finally {
    database.close();
  }
}

const primaryFile = (state: string) => databaseFile(state, localDatabases[0]);

/** Runs a SQL file on production's primary, all or nothing. */
export function runFile(target: Target, file: string): void {
  run(["d1", "execute", "DB", ...flags(target), "--yes", "--file", file]);
}

/** Runs the SQL file of a dump on an empty primary, all or nothing. @throws Error that names the failing row. */
export async function loadPrimary(target: Target, file: string): Promise<void> {
  if (target.remote) {
    runFile(target, file);
    return;
  }
  // Written directly, because wrangler takes minutes for a large file.
  const path = primaryFile(target.state);
  mkdirSync(dirname(path), { recursive: true });
  const loading = `${path}.loading`;
  rmSync(loading, { force: true });
  try {
    (await loadStatements(file, loading, "references")).close();
    for (const suffix of ["-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
    renameSync(loading, path);
  } finally {
    rmSync(loading, { force: true });
  }
}
