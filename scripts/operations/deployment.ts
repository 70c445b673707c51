import type { Get } from "./check-associations.ts";
import type { DeployedEnvironment, WranglerConfig } from "./configuration.ts";
import type { Wrangler, WranglerResult } from "./wrangler.ts";

/** The environment of a deployment; tests supply their own wrangler, account and network. */
export interface Deployment {
  wrangler: Wrangler;
  /** The wrangler.toml that receives the ids of new resources. */
  configPath: string;
  /** What is deployed: a section of wrangler.toml. */
  env: DeployedEnvironment;
  /** The current section of wrangler.toml. */
  config(): WranglerConfig;
  /** File for new secrets, which the deployer must move to a vault. */
  secretsFile: string;
  /** Environment variables; provider secrets are read from them by name. */
  environment: Readonly<Record<string, string | undefined>>;
  /** D1 and R2 location hint for new databases and buckets. */
  location: string;
  /** The origin of the deployed API. */
  origin: string;
  /** The origin of staging's API. */
  stagingOrigin: string;
  /** Whether the bundle in `releaseFolder` is uploaded instead of one that wrangler builds. */
  isBuilt: boolean;
  releaseFolder: string;
  /** The static assets that belong to the bundle. */
  assetsFolder: string;
  /** Fetches a URL; status 0 if there is no response. */
  get(url: string, headers?: Record<string, string>): Promise<{ status: number; text: string }>;
  /** Fetches a URL without following redirects, with the type of the response. */
  getOnce: Get;
  /** Percentages of the traffic that the new version gets one after another, before all of it. */
  shares: readonly number[];
  /** How long each share is watched, in milliseconds. */
  pauseMs: number;
  wait(ms: number): Promise<void>;
  now(): number;
  say(line: string): void;
}

/** A step of a deployment; running it again is safe. */
export interface Step {
  title: string;
  /** The commands that it runs, including those that run only if something is missing. */
  commands: readonly (readonly string[])[];
  run(): Promise<void> | void;
}

/** Why a deployment stopped, and what to do about it. */
export class StepFailed extends Error {
  override readonly name = "StepFailed";
  readonly todo: string;
  constructor(message: string, todo: string) {
    super(message);
    this.todo = todo;
  }
}

/** Runs wrangler and returns its result. @throws StepFailed with wrangler's output if it fails. */
export function mustRun(
  { wrangler }: Deployment,
  args: readonly string[],
  todo: string,
  input?: string,
): WranglerResult {
  const result = wrangler(args, input);
  if (!result.ok) throw new StepFailed(`wrangler ${args.join(" ")}\n${result.output}`, todo);
  return result;
}

/** A wrangler command as a person would type it. */
export const asTyped = (args: readonly string[]) =>
  ["npx wrangler", ...args.map((each) => (each.includes(" ") ? `"${each}"` : each))].join(" ");

/** Options that select the environment. */
export const inEnvironment = ({ configPath, env }: Pick<Deployment, "configPath" | "env">) => [
  "--env",
  env,
  "--config",
  configPath,
];
