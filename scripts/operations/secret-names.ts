import { readJsonOutput, type Wrangler } from "./wrangler.ts";

const isSignedIn = (wrangler: Wrangler) => wrangler(["whoami", "--json"]).ok;

/**
 * The names of the secrets that production has; their values nobody can read.
 *
 * @returns undefined without an account or where they cannot be asked for; none where the Worker does not exist yet.
 */
export function listSecretNames(wrangler: Wrangler, configPath: string): string[] | undefined {
  if (!isSignedIn(wrangler)) return undefined;
  const { ok, stdout, output } = wrangler(["secret", "list", "--env", "production", "--config", configPath]);
  if (ok) return (readJsonOutput(stdout) as { name: string }[]).map(({ name }) => name);
  return isUnknownWorker(output) ? [] : undefined;
}

/** The platform's word for a Worker that was never deployed. */
export const isUnknownWorker = (output: string) => /Worker "[^"]*".* not found|code: 10007/.test(output);
