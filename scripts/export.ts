import { existsSync } from "node:fs";
import { flag, readArguments } from "./arguments.ts";
import { fail } from "./d1.ts";
import type { Target } from "./operations/database.ts";
import { stateFolder } from "./operations/local-database.ts";
import { withSnapshot } from "./operations/take-dump.ts";
import { inTemporaryFolder } from "./operations/unfinished.ts";
import { showProgress } from "./progress/progress.ts";
import { exportUsers } from "./users/export-users.ts";

const { options, operands, refuse } = readArguments({
  name: "export",
  about: "Writes all users in the form that npm run import reads.",
  operands: "FILE",
  most: 1,
  options: {
    remote: flag("use the production database"),
  },
  notes: ["FILE: a new file, one user per line as JSON; see docs/operations/import.md."],
});
const [file = refuse("Name the file.")] = operands;
if (existsSync(file)) fail(`${file} exists already.`);

const state = stateFolder();
const target: Target = options.remote ? { remote: true } : { remote: false, state };
const onProgress = showProgress("copying the database");
try {
  const count = await inTemporaryFolder("export", (folder) =>
    withSnapshot(target, folder, (primary) =>
      exportUsers(primary, file, (users) => onProgress("users written", users)),
    ),
  );
  console.log(`Wrote ${count.toLocaleString("en")} users to ${file}. It contains personal data: delete it after use.`);
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
