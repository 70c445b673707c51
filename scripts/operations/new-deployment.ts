import { join, relative } from "node:path";
import { readConfiguration, textVars } from "./configuration.ts";
import type { Deployment } from "./deployment.ts";
import { root, wranglerIn } from "./wrangler.ts";

interface Given {
  /** The URL of the API, if it is not the issuer. */
  url?: string | undefined;
  location: string;
  shares: readonly number[];
  pauseMs: number;
}

/** The deployment of production from this machine. @throws Error if the issuer is not a URL. */
export function newDeployment({ url, ...given }: Given): Deployment {
  const configPath = join(root, "wrangler.toml");
  const config = () => readConfiguration(configPath, "production");
  const origin = url ?? textVars(config()).ISSUER ?? "";
  if (!URL.canParse(origin)) {
    throw new Error(`${origin || "ISSUER"} is not a URL. Set ISSUER in [env.production.vars] of wrangler.toml.`);
  }
  return {
    ...given,
    wrangler: wranglerIn(root),
    configPath: relative(process.cwd(), configPath) || configPath,
    config,
    secretsFile: join(root, ".secrets.production.json"),
    environment: process.env,
    origin: new URL(origin).origin,
    get: async (address, headers = {}) => {
      try {
        const response = await fetch(address, { headers, signal: AbortSignal.timeout(10_000) });
        return { status: response.status, text: await response.text() };
      } catch {
        return { status: 0, text: "" };
      }
    },
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    now: () => Date.now(),
    say: (line) => console.log(line),
  };
}
