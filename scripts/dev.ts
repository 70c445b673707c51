import { type ChildProcess, spawn } from "node:child_process";
import { connect, isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { prepareLocal } from "./operations/prepare.ts";

// `npm run dev`: sets up a fresh clone if necessary, starts the Worker and a Worker that stands for the platform's
// other services on loopback, and triggers the cron every minute.

const root = join(import.meta.dirname, "..");
const port = process.env.PORT ?? "8787";
if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > 65_534) {
  console.error(`PORT must be a port number, not ${port}.`);
  process.exit(2);
}
/** Address on which the API listens: loopback, unless HOST opens it to the local network (0.0.0.0). */
const host = process.env.HOST ?? "127.0.0.1";
if (!isIPv4(host)) {
  console.error(`HOST must be an IPv4 address, such as 0.0.0.0, not ${host}.`);
  process.exit(2);
}
const base = `http://${["127.0.0.1", "0.0.0.0"].includes(host) ? "localhost" : host}:${port}`;
const platformPort = String(Number(port) + 1);
/** wrangler's option for the folder of the local databases; its default folder unless PERSIST_TO is set. */
const persist = process.env.PERSIST_TO ? ["--persist-to", process.env.PERSIST_TO] : [];
const wrangler = join(root, "node_modules", "wrangler", "bin", "wrangler.js");

/** Whether the port is in use; wrangler would silently choose another one. */
function isTaken(one: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(one), "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

for (const each of [port, platformPort]) {
  if (!(await isTaken(each))) continue;
  console.error(`Port ${each} is in use. Stop the program that uses it, or choose another port: PORT=8797 npm run dev`);
  process.exit(1);
}

prepareLocal();

// wrangler looks for this file next to each configuration file.
process.loadEnvFile(join(root, ".env"));
// The two Workers find each other here; clones and ports have separate registries.
process.env.WRANGLER_REGISTRY_PATH = join(root, ".wrangler", `registry-${port}`);

let isStopping = false;
const servers = new Map<string, ChildProcess>();
// wrangler reads only the required secrets from .dev.vars; these settings come from the environment.
const passedOn = Object.entries(process.env).filter(([name]) =>
  /^(WEBHOOKS|SOCIAL_REDIRECT_URIS|(GOOGLE|APPLE)_\w+)$/.test(name),
);
const settings = [["ISSUER", base], ...passedOn].flatMap(([name, value]) => ["--var", `${name}:${value}`]);
startServer(port, host, settings);
// The other services stay on loopback: whoever reaches them may report anything.
startServer(platformPort, "127.0.0.1", ["--config", join("dev", "platform", "wrangler.toml"), "--inspector-port", "0"]);

/**
 * Starts wrangler and restarts it if it exits unexpectedly: its proxy exits if a client disconnects in the middle of a
 * body.
 */
function startServer(onPort: string, onHost: string, options: string[]): void {
  const listen = ["--ip", onHost, "--port", onPort];
  const args = [wrangler, "dev", ...listen, "--show-interactive-dev-session=false", ...persist, ...options];
  const child = spawn(process.execPath, args, { cwd: root, stdio: "inherit" });
  const startedAt = Date.now();
  servers.set(onPort, child);
  child.on("exit", (code) => {
    servers.delete(onPort);
    // A server that exits immediately would exit again.
    if (!isStopping && Date.now() - startedAt < 10_000) {
      process.exitCode = code ?? 1;
      stop("SIGTERM");
    }
    if (!isStopping) {
      console.error("\nThe server exited unexpectedly. Restarting.\n");
      startServer(onPort, onHost, options);
    } else if (servers.size === 0) process.exit();
  });
}

function stop(signal: NodeJS.Signals): void {
  isStopping = true;
  for (const child of servers.values()) child.kill(signal);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop(signal));

/** Waits for the first successful response; this process ends if the server exits. */
async function waitUntilUp(): Promise<void> {
  for (let refusals = 0; refusals < 20; ) {
    const status = await fetch(`${base}/api/health`).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    if (status === 503) refusals += 1;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  console.error(
    "The server does not start: see its log above. To generate new secrets, delete .dev.vars and start again.",
  );
  stop("SIGTERM");
}

await waitUntilUp();
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

if (host === "0.0.0.0") {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const reached = all.filter(({ family, internal }) => family === "IPv4" && !internal);
  console.log(
    `From this network: ${reached.map(({ address }) => `http://${address}:${port}`).join(", ") || "nowhere"}\n`,
  );
}

// wrangler does not trigger crons by itself.
setInterval(() => {
  fetch(`${base}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*`).catch((error) => console.error("cron tick failed:", error));
}, 60_000);
