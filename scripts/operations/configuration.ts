import { unstable_readConfig } from "wrangler";

/** Which part of wrangler.toml: undefined is the top level, development. */
export type Environment = "production" | undefined;

/** The parts of wrangler's own reading that are used here. */
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
  ratelimits: { name: string }[];
  send_email: { name: string }[];
  assets?: { binding?: string };
  triggers: { crons?: string[] };
  routes?: unknown[];
  workers_dev?: boolean;
}

/** One environment of a wrangler.toml as wrangler itself reads it; undefined is the top level, development. */
export function readConfiguration(path: string, environment: Environment): WranglerConfig {
  return unstable_readConfig({ config: path, ...(environment ? { env: environment } : {}) }, { hideWarnings: true });
}

/** The variables as texts; one that is no text is no setting of this Worker. */
export function textVars({ vars }: WranglerConfig): Record<string, string> {
  const texts = Object.entries(vars).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return Object.fromEntries(texts);
}

/** An id of zeros and dashes: nobody has put a real one there. */
export const isZeroId = (id: string | undefined) => id === undefined || /^[0-]*$/.test(id);

/** Every queue that the environment sends to, reads from or leaves dead letters in. */
export function queueNames({ queues }: WranglerConfig): string[] {
  const produced = (queues.producers ?? []).map(({ queue }) => queue);
  const consumed = (queues.consumers ?? []).flatMap(({ queue, dead_letter_queue }) => [queue, dead_letter_queue]);
  return [...new Set([...produced, ...consumed])].filter((name) => name !== undefined);
}

/** Where the deployed API answers: the host of the issuer, which is the one address that clients know. */
export function hostOf(config: WranglerConfig): string | undefined {
  const { ISSUER } = textVars(config);
  return ISSUER && URL.canParse(ISSUER) ? new URL(ISSUER).hostname : undefined;
}
