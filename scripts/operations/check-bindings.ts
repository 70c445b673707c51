import { type Environment, isZeroId, type WranglerConfig } from "./configuration.ts";
import { error, type Finding } from "./finding.ts";

type BindingName = { [K in keyof Env]-?: Env[K] extends string ? never : K }[keyof Env];

/** Every binding that src is given, with the part of wrangler.toml that makes it; Env has no other. */
const needed: Record<BindingName, string> = {
  DB: "d1_databases",
  SEARCH_DB: "d1_databases",
  KV: "kv_namespaces",
  KYC_BUCKET: "r2_buckets",
  OTP_QUEUE: "queues.producers",
  TASK_QUEUE: "queues.producers",
  SEARCH_QUEUE: "queues.producers",
  RATE_LIMITER: "ratelimits",
  USER_RATE_LIMITER: "ratelimits",
  EMAIL: "send_email",
  ASSETS: "assets",
};

/** The queues that the Worker reads, by how their names end, and whether what fails for good goes to dead letters. */
const consumed = { otp: false, tasks: true, search: true, "platform-events": true, "dead-letters": false };

/** What the environment lacks of what src uses: bindings, queues, dead letters, the cron, and ids that are still zeros. */
export function checkBindings(config: WranglerConfig, environment: Environment): Finding[] {
  const table = environment ? `env.${environment}.` : "";
  const bound = new Set([
    ...config.d1_databases.map(({ binding }) => binding),
    ...config.kv_namespaces.map(({ binding }) => binding),
    ...config.r2_buckets.map(({ binding }) => binding),
    ...(config.queues.producers ?? []).map(({ binding }) => binding),
    ...config.ratelimits.map(({ name }) => name),
    ...config.send_email.map(({ name }) => name),
    config.assets?.binding,
  ]);
  const missing = Object.entries(needed)
    .filter(([name]) => !bound.has(name))
    .map(([name, part]) =>
      error(
        `${name} is not bound`,
        "the code uses it",
        `Add it to [[${table}${part}]], as the other environment has it`,
      ),
    );
  const noCron = error(
    "no cron runs every minute",
    "events are relayed and jobs run by it",
    `Put crons = ["* * * * *"] into [${table}triggers]`,
  );
  const hasMinuteCron = config.triggers.crons?.includes("* * * * *");
  return [...missing, ...checkQueues(config), ...checkIds(config, table), ...(hasMinuteCron ? [] : [noCron])];
}

function checkQueues({ queues }: WranglerConfig): Finding[] {
  const consumers = queues.consumers ?? [];
  const names = new Set(consumers.map(({ queue }) => queue));
  const unread = Object.keys(consumed)
    .filter((end) => !consumers.some(({ queue }) => queue.endsWith(end)))
    .map((end) =>
      error(`no consumer of a queue …${end}`, "what is sent there is never done", "Add it to queues.consumers"),
    );
  const unfed = (queues.producers ?? [])
    .filter(({ queue }) => !names.has(queue))
    .map(({ queue }) => error(`nothing consumes the queue ${queue}`, "it only fills", "Add it to queues.consumers"));
  const deadLetters = consumers.flatMap(({ queue, dead_letter_queue: dead }) => {
    const [, keeps] = Object.entries(consumed).find(([end]) => queue.endsWith(end)) ?? [];
    if (keeps && !dead) {
      return [error(`${queue} has no dead letters`, "what fails for good would be gone", "Set its dead_letter_queue")];
    }
    if (keeps === false && dead) {
      return [error(`${queue} has dead letters`, "a sealed code might rest there", "Take its dead_letter_queue away")];
    }
    return dead && !names.has(dead)
      ? [error(`nothing consumes the dead letters ${dead}`, "they expire unread", "Add it to queues.consumers")]
      : [];
  });
  return [...unread, ...unfed, ...deadLetters];
}

function checkIds({ d1_databases, kv_namespaces }: WranglerConfig, table: string): Finding[] {
  const zero = (binding: string, key: string) =>
    error(
      `${table}${binding} has an id of zeros`,
      "it names no real resource",
      `Run npm run deploy, or put its ${key} there`,
      "zero-id",
    );
  return [
    ...d1_databases
      .filter(({ database_id }) => isZeroId(database_id))
      .map(({ binding }) => zero(binding, "database_id")),
    ...kv_namespaces.filter(({ id }) => isZeroId(id)).map(({ binding }) => zero(binding, "id")),
  ];
}
