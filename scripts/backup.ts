import { join } from "node:path";
import { readArguments, text } from "./arguments.ts";
import { fail } from "./d1.ts";
import { targetOf, whichDatabase } from "./operations/which-database.ts";
import { root } from "./operations/wrangler.ts";

const { options, refuse } = readArguments({
  name: "backup",
  about:
    "Writes the primary database as SQL, a list of the documents, and the checksums that a restore is compared with.",
  options: {
    ...whichDatabase,
    output: text("DIR", "folder in which a folder for this backup is made", { default: join(root, "backups") }),
  },
});
const target = targetOf(options, refuse);

const { backUp } = await import("./operations/back-up.ts");
await backUp(target, options.output).catch((error: unknown) =>
  fail(`The backup failed, and nothing of it was kept: ${error instanceof Error ? error.message : error}`),
);
