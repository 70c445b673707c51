import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import { prepareLocal } from "./operations/prepare.ts";

// `npm run dev`: makes what a fresh clone lacks, starts the Worker and one that stands for the other services on
// loopback, and ticks the cron.

const root = join(import.meta.dirname, "..");
const port = process.env.PORT ?? "8787";
if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > 65_534) {
  console.error(`PORT must be a port number, not ${port}.`);
  process.exit(2);
}
const base = `http://localhost:${port}`;
const platformPort = String(Number(port) + 1);
/** Where the local databases are kept; wrangler's own place unless told otherwise. */
const persist = process.env.PERSIST_TO ? ["--persist-to", process.env.PERSIST_TO] : [];
const wrangler = join(root, "node_modules", "wrangler", "bin", "wrangler.js");

/** Whether something listens there already; wrangler would quietly take another port. */
function isTaken(one: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(one), "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

for (const each of [port, platformPort]) {
  if (!(await isTaken(each))) continue;
  console.error(`Port ${each} is taken. Stop what listens there, or choose two others: PORT=8797 npm run dev`);
  process.exit(1);
}

prepareLocal();

// wrangler looks for this file beside each configuration.
process.loadEnvFile(join(root, ".env"));
// Where the two find each other: other clones and ports have registries of their own.
process.env.WRANGLER_REGISTRY_PATH = join(root, ".wrangler", `registry-${port}`);

let isStopping = false;
const servers = new Map<string, ChildProcess>();
// Of .dev.vars wrangler takes the required secrets only; these come from the environment.
const passedOn = Object.entries(process.env).filter(([name]) =>
  /^(WEBHOOKS|SOCIAL_REDIRECT_URIS|(GOOGLE|APPLE)_\w+)$/.test(name),
);
const settings = [["ISSUER", base], ...passedOn].flatMap(([name, value]) => ["--var", `${name}:${value}`]);
startServer(port, settings);
startServer(platformPort, ["--config", join("dev", "platform", "wrangler.toml"), "--inspector-port", "0"]);

/** Starts wrangler, and again when it ends unasked: its proxy does when a client hangs up in the middle of a body. */
function startServer(onPort: string, options: string[]): void {
  const listen = ["--ip", "127.0.0.1", "--port", onPort];
  const args = [wrangler, "dev", ...listen, "--show-interactive-dev-session=false", ...persist, ...options];
  const child = spawn(process.execPath, args, { cwd: root, stdio: "inherit" });
  const startedAt = Date.now();
  servers.set(onPort, child);
  child.on("exit", (code) => {
    servers.delete(onPort);
    // One that ends at once will not do better the next time.
    if (!isStopping && Date.now() - startedAt < 10_000) {
      process.exitCode = code ?? 1;
      stop("SIGTERM");
    }
    if (!isStopping) {
      console.error("\nA server ended unasked; starting it again.\n");
      startServer(onPort, options);
    } else if (servers.size === 0) process.exit();
  });
}

function stop(signal: NodeJS.Signals): void {
  isStopping = true;
  for (const child of servers.values()) child.kill(signal);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop(signal));

/** Waits for the first answer; the server's own exit ends this process. */
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
  console.error("The server refuses to serve: see its log above. Fresh secrets: delete .dev.vars and start again.");
  stop("SIGTERM");
}

await waitUntilUp();
console.log(`
Users API is up.

  Documentation   ${base}/docs
  Outbox          ${base}/dev/outbox   (codes land here; nothing is sent)
  Health          ${base}/api/health
  Other services  http://localhost:${platformPort}   (POST /events, /queue, /tokens: what they send)

Try it: npm run walkthrough -- ${base}
`);

// wrangler fires no cron by itself.
setInterval(() => {
  fetch(`${base}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*`).catch((error) => console.error("cron tick failed:", error));
}, 60_000);
