import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { newSecrets } from "./secrets.ts";

// `npm run dev`: makes what a fresh clone lacks, starts the Worker on loopback, and ticks its cron.

const root = join(import.meta.dirname, "..");
const port = process.env.PORT ?? "8787";
if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
  console.error(`PORT must be a port number, not ${port}.`);
  process.exit(2);
}
const base = `http://localhost:${port}`;
/** Where the local databases are kept; wrangler's own place unless told otherwise. */
const persist = process.env.PERSIST_TO ? ["--persist-to", process.env.PERSIST_TO] : [];
const wrangler = join(root, "node_modules", "wrangler", "bin", "wrangler.js");

/** Whether something listens there already; wrangler would quietly take another port. */
function isTaken(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(port), "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

if (await isTaken()) {
  console.error(`Port ${port} is taken. Stop what listens there, or choose another: PORT=8788 npm run dev`);
  process.exit(1);
}

const secretsFile = join(root, ".dev.vars");
const known = existsSync(secretsFile) ? readFileSync(secretsFile, "utf8") : "";
const missing = Object.entries(newSecrets()).filter(([name]) => !new RegExp(`^${name}=`, "m").test(known));
if (missing.length > 0) {
  const lines = missing.map(([name, value]) => `${name}='${value}'\n`);
  writeFileSync(secretsFile, known.replace(/\n?$/, known && "\n") + lines.join(""), { mode: 0o600 });
  console.log(`Put secrets of this machine's own into .dev.vars: ${missing.map(([name]) => name).join(", ")}.`);
}

// CI=1: apply without asking.
const migrated = spawnSync(process.execPath, [wrangler, "d1", "migrations", "apply", "DB", "--local", ...persist], {
  cwd: root,
  env: { ...process.env, CI: "1" },
  encoding: "utf8",
});
if (migrated.status !== 0) {
  console.error(migrated.stdout, migrated.stderr);
  process.exit(1);
}

const args = ["dev", "--ip", "127.0.0.1", "--port", port, "--show-interactive-dev-session=false", ...persist];

let isStopping = false;
let server = startServer();

/** Starts wrangler, and again when it ends unasked: its proxy does when a client hangs up in the middle of a body. */
function startServer() {
  // Of .dev.vars wrangler takes the required secrets only.
  const { WEBHOOKS } = process.env;
  const vars = ["--var", `ISSUER:${base}`, ...(WEBHOOKS ? ["--var", `WEBHOOKS:${WEBHOOKS}`] : [])];
  const child = spawn(process.execPath, [wrangler, ...args, ...vars], {
    cwd: root,
    stdio: "inherit",
  });
  const startedAt = Date.now();
  child.on("exit", (code) => {
    if (isStopping) process.exit(0);
    // One that ends at once will not do better the next time.
    if (Date.now() - startedAt < 10_000) process.exit(code ?? 1);
    console.error("\nThe server ended unasked; starting it again.\n");
    server = startServer();
  });
  return child;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    isStopping = true;
    server.kill(signal);
  });
}

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
  isStopping = true;
  server.kill("SIGTERM");
}

await waitUntilUp();
console.log(`
Users API is up.

  Documentation   ${base}/docs
  Outbox          ${base}/dev/outbox   (codes land here; nothing is sent)
  Health          ${base}/api/health

Try it: npm run walkthrough -- ${base}
`);

// wrangler fires no cron by itself.
setInterval(() => {
  fetch(`${base}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*`).catch((error) => console.error("cron tick failed:", error));
}, 60_000);
