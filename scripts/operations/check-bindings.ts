import { type Environment, isZeroId, type WranglerConfig } from "./configuration.ts";
import { error, type Finding } from "./finding.ts";

type BindingName = { [K in keyof Env]-?: Env[K] extends string ? never : K }[keyof Env];

/** Every binding of Env, with the section of wrangler.toml that defines it. */
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
  CF_VERSION_METADATA: "version_metadata",
};

/** Suffixes of the queues that the Worker consumes, and whether each must have a dead-letter queue. */
const consumed = { otp: false, tasks: true, search: true, "platform-events": true, "dead-letters": false };

/** Lists what the environment lacks: bindings, queues, dead-letter queues, the cron, and real resource ids. */
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
    config.version_metadata?.binding,
  ]);
  const missing = Object.entries(needed)
    .filter(([name]) => !bound.has(name))
    .map(([name, part]) =>
      error(`${name} is not bound`, "the code uses it", `Add it to [[${table}${part}]], as in the other environment`),
    );
  const noCron = error(
    "no cron runs every minute",
    "without it, jobs do not run and failed events are not retried",
    `Set crons = ["* * * * *"] in [${table}triggers]`,
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
      error(`the queue …${end} has no consumer`, "its messages are never processed", "Add it to queues.consumers"),
    );
  const unfed = (queues.producers ?? [])
    .filter(({ queue }) => !names.has(queue))
    .map(({ queue }) =>
      error(`the queue ${queue} has no consumer`, "its messages are never processed", "Add it to queues.consumers"),
    );
  const deadLetters = consumers.flatMap(({ queue, dead_letter_queue: dead }) => {
    const [, keeps] = Object.entries(consumed).find(([end]) => queue.endsWith(end)) ?? [];
    if (keeps && !dead) {
      return [
        error(
          `${queue} has no dead-letter queue`,
          "messages that keep failing would be lost",
          "Set its dead_letter_queue",
        ),
      ];
    }
    if (keeps === false && dead) {
      return [
        error(
          `${queue} has a dead-letter queue`,
          "encrypted codes could be kept there",
          "Remove its dead_letter_queue",
        ),
      ];
    }
    return dead && !names.has(dead)
      ? [
          error(
            `the dead-letter queue ${dead} has no consumer`,
            "its messages expire unread",
            "Add it to queues.consumers",
          ),
        ]
      : [];
  });
  return [...unread, ...unfed, ...deadLetters];
}

function checkIds({ d1_databases, kv_namespaces }: WranglerConfig, table: string): Finding[] {
  const zero = (binding: string, key: string) =>
    error(
      `${table}${binding} has a placeholder id`,
      "it does not refer to a real resource",
      `Run npm run deploy, or set its ${key}`,
      "zero-id",
    );
  return [
    ...d1_databases
      .filter(({ database_id }) => isZeroId(database_id))
      .map(({ binding }) => zero(binding, "database_id")),
    ...kv_namespaces.filter(({ id }) => isZeroId(id)).map(({ binding }) => zero(binding, "id")),
  ];
}
