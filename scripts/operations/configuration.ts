import { unstable_readConfig } from "wrangler";

/** The environment of wrangler.toml; undefined is the top level, which is development. */
export type Environment = DeployedEnvironment | undefined;

/** The environments that are deployed. */
export type DeployedEnvironment = "production" | "staging";

/** The parts of wrangler's parsed configuration that the scripts use. */
export interface WranglerConfig {
  name?: string;
  compatibility_date?: string;
  vars: Record<string, unknown>;
  secrets?: { required?: string[] };
  d1_databases: { binding: string; database_name?: string; database_id?: string; migrations_dir?: string }[];
  kv_namespaces: { binding: string; id?: string }[];
  r2_buckets: { binding: string; bucket_name?: string }[];
  queues: {
    producers?: { binding: string; queue: string }[];
    consumers?: { queue: string; dead_letter_queue?: string }[];
  };
  ratelimits: { name: string; simple: { limit: number; period: number } }[];
  send_email: { name: string }[];
  assets?: { binding?: string };
  version_metadata?: { binding: string };
  triggers: { crons?: string[] };
  routes?: unknown[];
  workers_dev?: boolean;
}

/** One environment of a wrangler.toml as wrangler reads it. */
export function readConfiguration(path: string, environment: Environment): WranglerConfig {
  return unstable_readConfig({ config: path, ...(environment ? { env: environment } : {}) }, { hideWarnings: true });
}

/** The text variables; the Worker has no others. */
export function textVars({ vars }: WranglerConfig): Record<string, string> {
  const texts = Object.entries(vars).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return Object.fromEntries(texts);
}

/** Whether the id is a placeholder: absent, or only zeros and dashes. */
export const isZeroId = (id: string | undefined) => id === undefined || /^[0-]*$/.test(id);

/** All queues that the environment produces to or consumes from, and its dead-letter queues. */
export function queueNames({ queues }: WranglerConfig): string[] {
  const produced = (queues.producers ?? []).map(({ queue }) => queue);
  const consumed = (queues.consumers ?? []).flatMap(({ queue, dead_letter_queue }) => [queue, dead_letter_queue]);
  return [...new Set([...produced, ...consumed])].filter((name) => name !== undefined);
}

/** The host of the deployed API: that of ISSUER, the one address that clients know. */
export function hostOf(config: WranglerConfig): string | undefined {
  const { ISSUER } = textVars(config);
  return ISSUER && URL.canParse(ISSUER) ? new URL(ISSUER).hostname : undefined;
}
