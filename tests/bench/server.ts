import { createWriteStream, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { migrateLocal } from "../../scripts/operations/prepare.ts";
import { newSecrets } from "../../scripts/secrets.ts";
import { buildBundle, bundleIn } from "./bundle.ts";

// node tests/bench/server.ts --persist DIR [--bundle DIR] [--entry FILE] [--var NAME=VALUE …] [--no-cron] [--still]
//   [--inspect] [--config FILE]
//
// The production bundle on Miniflare, with nothing between the socket and the Worker, since the proxy of `wrangler dev`
// costs many times what a route does. Databases are those of `PERSIST_TO=DIR npm run dev`. When it is up it prints one
// line of JSON: url, platformUrl (the stand-in for the platform's other services: POST /events, /queue, /tokens), pid (of
// workerd), log (a file), and with --inspect inspectorUrl. It ends on SIGTERM. --no-cron: nothing ticks, so that the CPU
// is that of requests and what they lead to. --still: on databases as they are, without migrations; nothing ticks, and
// what is sent to queues stays there, so that requests alone use its CPU. --config: another Worker by its configuration,
// for a comparison; it gets no migrations, secrets or platform.

const { values } = parseArgs({
  options: {
    persist: { type: "string" },
    bundle: { type: "string" },
    entry: { type: "string", default: "src/index.ts" },
    var: { type: "string", multiple: true, default: [] },
    "no-cron": { type: "boolean", default: false },
    still: { type: "boolean", default: false },
    config: { type: "string", default: "wrangler.toml" },
    inspect: { type: "boolean", default: false },
  },
});
if (!values.persist) {
  console.error("--persist names the folder of the local databases");
  process.exit(2);
}
const persist = values.persist;
const root = join(import.meta.dirname, "..", "..");
process.loadEnvFile(join(root, ".env"));
mkdirSync(persist, { recursive: true });

const isThisService = values.config === "wrangler.toml";
const secrets = isThisService ? newSecrets() : {};
const vars = Object.fromEntries(
  values.var.map((each) => [each.slice(0, each.indexOf("=")), each.slice(each.indexOf("=") + 1)]),
);

if (!values.still && isThisService) migrateLocal(persist);

const modulePath = values.bundle ? bundleIn(values.bundle, values.entry) : buildBundle(values);

// Suppresses wrangler's warnings about secrets, which are generated here.
process.env.WRANGLER_LOG = "error";
const { workerOptions } = unstable_getMiniflareWorkerOptions(join(root, values.config));
// Removes the assets binding, whose router runs in production but not on this machine's CPU.
const { assets: _, modulesRules: __, ...settings } = workerOptions;

const logPath = join(persist, "server.log");
const log = createWriteStream(logPath, { flags: "a" });
/** Miniflare's name of the Worker. */
const SERVICE = "users-api";
const direct = [{ host: "127.0.0.1", port: 0 }];
/** The stand-in for the platform's other services. */
const platform = {
  name: "platform",
  compatibilityDate: "2026-08-01",
  modules: [
    {
      type: "ESModule" as const,
      path: "worker.js",
      contents: stripTypeScriptTypes(readFileSync(join(root, "dev/platform/worker.ts"), "utf8")),
    },
  ],
  modulesRoot: ".",
  serviceBindings: {
    PLATFORM_EVENTS: { name: SERVICE, entrypoint: "PlatformEvents", props: { caller: "rentals" } },
    TOKEN_VERIFIER: { name: SERVICE, entrypoint: "TokenVerifier" },
  },
  queueProducers: { EVENT_QUEUE: "platform-events" },
  unsafeDirectSockets: direct,
};

const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    log: new Log(LogLevel.NONE),
    logRequests: false,
    unsafeTriggerHandlers: true,
    ...(values.inspect ? { inspectorPort: 0 } : {}),
    telemetry: { enabled: false },
    handleStructuredLogs: ({ level, message }) => log.write(`${level} ${message}\n`),
    // wrangler's folder for resources.
    resourcePersistencePath: join(persist, "v3"),
    workers: [
      {
        ...settings,
        ...(values.still ? { queueConsumers: {} } : {}),
        name: SERVICE,
        modules: [{ type: "ESModule", path: modulePath }],
        modulesRoot: dirname(modulePath),
        bindings: { ...(settings.bindings as Record<string, string>), ...secrets, ...vars },
        unsafeDirectSockets: direct,
      },
      ...(isThisService ? [platform] : []),
    ],
  }),
);

/** A process's line in /proc; empty if it has just ended. */
function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return "";
  }
}

/** The workerd that this process started. */
function workerdPid(): number {
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const stat = statOf(entry);
    const [, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (Number(parent) === process.pid && stat.includes("(workerd")) return Number(entry);
  }
  throw new Error("workerd did not start");
}

// Miniflare's entry also calls handlers other than fetch; it triggers no cron by itself.
const tick = new URL("/cdn-cgi/local/scheduled?cron=*+*+*+*+*", await miniflare.ready);
const cron = setInterval(() => {
  if (values.still || values["no-cron"] || !isThisService) return;
  fetch(tick).then(
    ({ ok, status }) => ok || log.write(`cron tick failed: ${status}\n`),
    (error: unknown) => log.write(`cron tick failed: ${error}\n`),
  );
}, 60_000);

async function stop(): Promise<void> {
  clearInterval(cron);
  await miniflare.dispose();
  log.end(() => process.exit(0));
}
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void stop());

const origin = async (name: string) => (await miniflare.unsafeGetDirectURL(name)).origin;
const addresses = {
  url: await origin(SERVICE),
  ...(isThisService ? { platformUrl: await origin(platform.name) } : {}),
};
const inspectorUrl = values.inspect ? { inspectorUrl: String(await miniflare.getInspectorURL()) } : {};
console.log(JSON.stringify({ ...addresses, pid: workerdPid(), log: logPath, ...inspectorUrl }));
