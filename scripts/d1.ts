import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** Ends the command with a message. */
export function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

/** Runs the statements on the primary, the local or production's, in one transaction, and gives the rows of the last. */
export function query(sql: string, { remote }: { remote: boolean }): Record<string, unknown>[] {
  const wrangler = join(root, "node_modules", "wrangler", "bin", "wrangler.js");
  const where = remote ? ["--remote", "--env", "production"] : ["--local"];
  const persist = process.env.PERSIST_TO && !remote ? ["--persist-to", process.env.PERSIST_TO] : [];
  const args = [wrangler, "d1", "execute", "DB", ...where, ...persist, "--json", "--command", sql];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  if (status !== 0) fail(`${stdout}${stderr}`);
  const results = JSON.parse(stdout.slice(stdout.indexOf("["))) as { results: Record<string, unknown>[] }[];
  return results.at(-1)?.results ?? [];
}
