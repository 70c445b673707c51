import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { fail } from "./d1.ts";
import type { Target } from "./operations/database.ts";
import { defaultState } from "./operations/local-database.ts";
import { withSnapshot } from "./operations/take-dump.ts";
import { exportUsers } from "./users/export-users.ts";

// `npm run export -- users.jsonl`: writes all users in the form that `npm run import` reads, from the local database or
// from production with --remote.

const USAGE = `npm run export -- FILE [--remote]

FILE        a new file, one user per line as JSON; see docs/operations/import.md
--remote    use the production database`;

const options = {
  remote: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

function parseOrExit() {
  try {
    return parseArgs({ allowPositionals: true, options });
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exit(2);
  }
}

const { values, positionals } = parseOrExit();
const [file, ...more] = positionals;
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
if (file === undefined || more.length > 0) {
  console.error(USAGE);
  process.exit(2);
}
if (existsSync(file)) fail(`${file} exists already.`);

const state = process.env.PERSIST_TO ? resolve(process.env.PERSIST_TO) : defaultState;
const target: Target = values.remote ? { remote: true } : { remote: false, state };
const folder = mkdtempSync(join(tmpdir(), "users-api-export-"));
let shownAt = Date.now();
try {
  const count = await withSnapshot(target, folder, async (primary) =>
    exportUsers(primary, file, (users) => {
      if (Date.now() - shownAt < 5_000) return;
      shownAt = Date.now();
      console.log(`${users.toLocaleString("en")} users written`);
    }),
  );
  console.log(`Wrote ${count.toLocaleString("en")} users to ${file}. It contains personal data: delete it after use.`);
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
