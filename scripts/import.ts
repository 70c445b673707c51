import { existsSync } from "node:fs";
import { flag, readArguments } from "./arguments.ts";
import { fail } from "./d1.ts";

const { options, operands, refuse } = readArguments({
  name: "import",
  about: "Imports users of another system into the local database, or into production with --remote.",
  operands: "FILE",
  most: 1,
  options: {
    "dry-run": flag("only check the file and compare it with the database"),
    remote: flag("use the production database"),
  },
  notes: ["FILE: one user per line, as JSON; see docs/operations/import.md."],
});
const [file = refuse("Name the file.")] = operands;
if (!existsSync(file)) fail(`There is no file ${file}.`);

const { importFile } = await import("./users/import-file.ts");
await importFile(file, { isDryRun: options["dry-run"], isRemote: options.remote });
