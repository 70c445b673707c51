import { readJsonOutput, root, wranglerIn } from "./operations/wrangler.ts";

/** Ends the command with a message. */
export function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

/** Runs the statements on the primary, the local or production's, in one transaction, and gives the rows of the last. */
export function query(sql: string, { remote }: { remote: boolean }): Record<string, unknown>[] {
  const where = remote ? ["--remote", "--env", "production"] : ["--local", "--env="];
  const persist = process.env.PERSIST_TO && !remote ? ["--persist-to", process.env.PERSIST_TO] : [];
  const { ok, stdout, output } = wranglerIn(root)([
    "d1",
    "execute",
    "DB",
    ...where,
    ...persist,
    "--json",
    "--command",
    sql,
  ]);
  if (!ok) fail(output);
  const results = readJsonOutput(stdout) as { results: Record<string, unknown>[] }[];
  return results.at(-1)?.results ?? [];
}
