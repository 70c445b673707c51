import type { WranglerConfig } from "./configuration.ts";
import type { Wrangler, WranglerResult } from "./wrangler.ts";

/** What a deployment works with; tests bring a wrangler, an account and a network of their own. */
export interface Deployment {
  wrangler: Wrangler;
  /** The wrangler.toml that real ids are written into. */
  configPath: string;
  /** [env.production] of it, as it is now. */
  config(): WranglerConfig;
  /** Where new secrets are kept for the deployer, who must move them to a vault. */
  secretsFile: string;
  /** Secrets of providers may come from here, by their names. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Where a new database and bucket shall lie: a location hint of D1 and R2. */
  location: string;
  /** The origin that the deployed API answers at. */
  origin: string;
  /** The status and text of an answer; 0 where there is none. */
  get(url: string): Promise<{ status: number; text: string }>;
  wait(ms: number): Promise<void>;
  now(): number;
  say(line: string): void;
}

/** One thing that a deployment does, which may be done again at any time. */
export interface Step {
  title: string;
  /** The commands that it runs, or would run where something is missing. */
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

/** Runs wrangler and gives its answer. @throws StepFailed with wrangler's own words when it fails. */
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

/** A command as one would type it. */
export const asTyped = (args: readonly string[]) => `npx wrangler ${args.join(" ")}`;
