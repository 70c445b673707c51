import { join, relative } from "node:path";
import { getOnce } from "./check-associations.ts";
import { type DeployedEnvironment, readConfiguration, textVars } from "./configuration.ts";
import type { Deployment } from "./deployment.ts";
import { root, wranglerIn } from "./wrangler.ts";

/** The options of a command that deploys or rolls back. */
export interface GivenDeployment {
  env: DeployedEnvironment;
  /** Whether to deploy the bundle that staging runs. */
  isPromotion?: boolean;
  /** The URL of the API, if it is not the issuer. */
  url?: string | undefined;
  location: string;
  shares: readonly number[];
  pauseMs: number;
}

/** A deployment from this machine. @throws Error if the issuer is not a URL. */
export function newDeployment({ url, isPromotion = false, ...given }: GivenDeployment): Deployment {
  const configPath = join(root, "wrangler.toml");
  const config = () => readConfiguration(configPath, given.env);
  const origin = url ?? textVars(config()).ISSUER ?? "";
  if (!URL.canParse(origin)) {
    throw new Error(`${origin || "ISSUER"} is not a URL. Set ISSUER in [env.${given.env}.vars] of wrangler.toml.`);
  }
  return {
    ...given,
    wrangler: wranglerIn(root),
    configPath: relative(process.cwd(), configPath) || configPath,
    config,
    secretsFile: join(root, `.secrets.${given.env}.json`),
    environment: process.env,
    origin: new URL(origin).origin,
    stagingOrigin: textVars(readConfiguration(configPath, "staging")).ISSUER ?? "",
    isBuilt: isPromotion || given.env === "staging",
    releaseFolder: join(root, "dist", "release"),
    assetsFolder: join(root, "dist", "assets"),
    get: async (address, headers = {}) => {
      try {
        const response = await fetch(address, { headers, signal: AbortSignal.timeout(10_000) });
        return { status: response.status, text: await response.text() };
      } catch {
        return { status: 0, text: "" };
      }
    },
    getOnce,
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    now: () => Date.now(),
    say: (line) => console.log(line),
  };
}
