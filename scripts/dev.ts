import { watch } from "node:fs";
import { connect, isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { dirname, join, relative } from "node:path";
import { readArguments } from "./arguments.ts";
import { claimState } from "./dev/claim-state.ts";
import { parentsOf } from "./dev/parents.ts";
import { configurationFiles, readLocalSettings, writeLocalConfiguration } from "./dev/settings.ts";
import { type Supervised, superviseWrangler } from "./dev/supervise.ts";
import { whenParentEnds } from "./dev/watch-parent.ts";
import { stateFolder } from "./operations/local-database.ts";
import { localPort } from "./operations/local-server.ts";
import { prepareLocal } from "./operations/prepare.ts";
import { root } from "./operations/wrangler.ts";
import { openDatabases } from "./seed/databases.ts";

readArguments({
  name: "dev",
  about:
    "Runs the Worker, and a Worker that stands for the platform's other services, on this machine, and triggers the cron every minute. A fresh clone is set up first.",
  notes: [
    "Environment:",
    "  PORT        port of the API (default: 8787); the next one is that of the other services",
    "  HOST        address on which the API listens: 0.0.0.0 for phones on the local network (default: 127.0.0.1)",
    "  PERSIST_TO  folder of the local databases (default: .wrangler/state)",
    "  LOG=json    shows the Worker's log as it is, one JSON object per line",
    "",
    "Every variable and secret of docs/configuration.md can be set in the environment or in .dev.vars.",
  ],
});

const port = localPort();
const platformPort = port + 1;
const host = process.env.HOST || "127.0.0.1";
if (!isIPv4(host)) {
  console.error(`HOST must be an IPv4 address, such as 0.0.0.0, not ${host}.`);
  process.exit(2);
}
const base = `http://${["127.0.0.1", "0.0.0.0"].includes(host) ? "localhost" : host}:${port}`;
const state = stateFolder();
const ANOTHER = "PORT=8797 PERSIST_TO=.wrangler/state-8797 npm run dev";

/** Whether the port is in use; wrangler would silently choose another one. */
function isTaken(one: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(one, host === "0.0.0.0" ? "127.0.0.1" : host);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

for (const each of [port, platformPort]) {
  if (!(await isTaken(each))) continue;
  console.error(
    `Port ${each} is in use. Stop the program that uses it, or choose other ports and databases: ${ANOTHER}`,
  );
  process.exit(1);
}

/** Whether no other server uses the databases; claims them for this one. */
function areDatabasesFree(): boolean {
  if (!claimState(state)) return false;
  try {
    openDatabases(state)?.close();
    return true;
  } catch {
    return false;
  }
}

if (!areDatabasesFree()) {
  console.error(
    `Another server has the local databases in ${relative(process.cwd(), state) || state} open. Stop it, or choose other ones: ${ANOTHER}`,
  );
  process.exit(1);
}
prepareLocal();

// wrangler looks for this file next to each configuration file.
process.loadEnvFile(join(root, ".env"));
// The two Workers find each other here; clones and ports have separate registries.
process.env.WRANGLER_REGISTRY_PATH = join(root, ".wrangler", `registry-${port}`);

const configFile = join(root, ".wrangler", `dev-${port}`, "wrangler.json");
/** Writes the configuration anew; wrangler reloads it. */
function configure(): string[] {
  const { vars, fromEnvironment } = readLocalSettings(base, process.env);
  writeLocalConfiguration(configFile, vars);
  return fromEnvironment;
}
const fromEnvironment = configure();
if (fromEnvironment.length > 0) console.log(`From the environment: ${fromEnvironment.join(", ")}`);
for (const folder of new Set(configurationFiles.map(dirname))) {
  watch(folder, (_, name) => {
    if (!name || !configurationFiles.includes(join(folder, name))) return;
    try {
      configure();
    } catch (error) {
      console.error(`The configuration was not read again: ${error instanceof Error ? error.message : error}`);
    }
  }).unref();
}

let isStopping = false;
const servers: Supervised[] = [];

/** Ends both servers, then this process. */
async function stop(code: number): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  await Promise.all(servers.map((server) => server.stop()));
  process.exit(code);
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stop(0));
whenParentEnds(() => void stop(0), parentsOf());

const style = {
  isJson: process.env.LOG === "json",
  isColored: process.stdout.isTTY === true && !process.env.NO_COLOR,
  showsBindings: true,
};
/** Whether the Worker has answered; until then, a refused configuration ends this process. */
let hasServed = false;
const giveUp = (reason: string) => {
  console.error(`\n${reason}`);
  void stop(1);
};
const common = ["--show-interactive-dev-session=false", "--persist-to", state];
servers.push(
  superviseWrangler("The API", ["--config", configFile, "--ip", host, "--port", String(port), ...common], {
    style,
    write: (line) => console.log(line),
    onLogged({ event, reason }) {
      if (event !== "configuration_refused" || hasServed) return;
      giveUp(`The Worker refuses its settings: ${reason}. To generate new secrets, delete .dev.vars and start again.`);
    },
    giveUp,
  }),
  // The other services stay on loopback: whoever reaches them may report anything.
  superviseWrangler(
    "The stand-in for the other services",
    [
      ...["--config", join("dev", "platform", "wrangler.toml"), "--inspector-port", "0"],
      ...["--ip", "127.0.0.1", "--port", String(platformPort), ...common],
    ],
    {
      style: { ...style, showsBindings: false },
      write: (line) => console.log(style.isJson && line.startsWith("{") ? line : `[other services] ${line}`),
      giveUp,
    },
  ),
);

/** Waits for the first successful response. False if the Worker refuses to serve, or this process is stopping. */
async function isServing(): Promise<boolean> {
  for (let refusals = 0; refusals < 20 && !isStopping; ) {
    const status = await fetch(`${base}/api/health`).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return true;
    if (status === 503) refusals += 1;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return false;
}

hasServed = await isServing();
if (hasServed) announce();
else if (!isStopping) giveUp("The Worker refuses to serve: the log above says why.");

function announce(): void {
  console.log(`
Users API is running.

  Documentation   ${base}/docs
  Example app     ${base}/example/   (the client package in 35 lines)
  Outbox          ${base}/dev/outbox   (shows codes and messages; nothing is sent)
  Health          ${base}/api/health
  Staff console   ${base}/console   (sign up in the example app, then: npm run staff -- grant YOUR-NUMBER)
  Other services  http://localhost:${platformPort}   (POST /events, /queue or /tokens to send what they send)

Try it: npm run walkthrough -- ${base}
`);
  if (host !== "0.0.0.0") return;
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const reached = all.filter(({ family, internal }) => family === "IPv4" && !internal);
  const addresses = reached.map(({ address }) => `http://${address}:${port}`).join(", ") || "nowhere";
  console.log(`From this network: ${addresses}\n`);
}

// wrangler does not trigger crons by itself.
setInterval(() => {
  if (isStopping) return;
  // A server that is starting again needs no tick.
  fetch(`${base}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*`).catch(() => {});
}, 60_000);
