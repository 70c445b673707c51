import type { DeployedEnvironment } from "./configuration.ts";
import { readJsonOutput, type Wrangler } from "./wrangler.ts";

const isSignedIn = (wrangler: Wrangler) => wrangler(["whoami", "--json"]).ok;

/**
 * The names of the secrets set in the environment; their values cannot be read.
 *
 * @returns undefined without an account or if the list cannot be read; an empty list if the Worker does not exist yet.
 */
export function listSecretNames(
  wrangler: Wrangler,
  configPath: string,
  env: DeployedEnvironment,
): string[] | undefined {
  if (!isSignedIn(wrangler)) return undefined;
  const { ok, stdout, output } = wrangler(["secret", "list", "--env", env, "--config", configPath]);
  if (ok) return (readJsonOutput(stdout) as { name: string }[]).map(({ name }) => name);
  return isUnknownWorker(output) ? [] : undefined;
}

/** Whether wrangler reports a Worker that was never deployed. */
export const isUnknownWorker = (output: string) => /Worker "[^"]*".* not found|code: 10007/.test(output);
