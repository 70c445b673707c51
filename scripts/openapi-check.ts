import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { startDevServer } from "../tests/browser/dev-server.ts";
import { pdf } from "../tests/support/documents.ts";
import { readArguments } from "./arguments.ts";
import { awaitOutput } from "./await-output.ts";

readArguments({
  name: "openapi:check",
  about:
    "Runs other people's linters and generators on openapi.json, checks the types of what they generate, and drives the local server with two of the generated clients through a validating proxy.",
});

const folder = join(import.meta.dirname, "..", "tools", "openapi");
const bin = (name: string) => join(folder, "node_modules", ".bin", name);
const document = join("..", "..", "openapi.json");

/** Runs a command in the folder of the tools; ends this process if it fails. */
function step(title: string, command: string, args: string[]): void {
  console.log(`\n— ${title}`);
  const { status, error } = spawnSync(command, args, { cwd: folder, stdio: "inherit", env: quiet });
  if (status === 0) return;
  console.error(`${title} failed${error ? `: ${error.message}` : ""}`);
  process.exit(1);
}

/** The tools ask for updates and report their use unless told otherwise. */
const quiet = {
  ...process.env,
  ...{
    REDOCLY_TELEMETRY: "off",
    REDOCLY_SUPPRESS_UPDATE_NOTICE: "true",
    DO_NOT_TRACK: "1",
    KUBB_DISABLE_TELEMETRY: "1",
  },
};

/** Whether npm has finished an installation, by writing this file last, since the lockfile changed. */
function isInstalled(): boolean {
  const installed = join(folder, "node_modules", ".package-lock.json");
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(folder, "package-lock.json")).mtimeMs;
}

if (!isInstalled()) {
  step("Install the tools", "npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
}
rmSync(join(folder, "generated"), { recursive: true, force: true });
step("redocly", bin("redocly"), ["lint", document, "--config", "redocly.yaml", "--format", "summary"]);
step("spectral", bin("spectral"), ["lint", document, "-r", ".spectral.yaml"]);
step("openapi-typescript", bin("openapi-typescript"), [document, "-o", "generated/openapi-typescript/schema.d.ts"]);
step("@hey-api/openapi-ts", bin("openapi-ts"), [
  "-i",
  document,
  "-o",
  "generated/hey-api",
  "-c",
  "@hey-api/client-fetch",
]);
step("orval", bin("orval"), ["--config", "orval.config.mjs"]);
step("kubb", bin("kubb"), ["generate", "--config", "kubb.config.mjs"]);
step("Types of the generated clients", bin("tsc"), ["-p", "."]);

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Starts a proxy that answers 500 to a request or a response that the document does not allow. */
async function startProxy(upstream: string): Promise<{ base: string; proxy: ChildProcess }> {
  const port = await freePort();
  const args = ["proxy", document, upstream, "--errors", "-h", "127.0.0.1", "-p", String(port)];
  const proxy = spawn(bin("prism"), args, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  await awaitOutput(proxy, /is listening/, 60_000);
  return { base: `http://127.0.0.1:${port}`, proxy };
}

/** Loads a flow with the generated client that it imports, in one module. */
async function loadFlow(name: string): Promise<{ run(setting: object): Promise<void> }> {
  const outfile = join(folder, "generated", `${name}.mjs`);
  const esbuild = createRequire(join(folder, "package.json"))("esbuild") as { build(options: object): Promise<void> };
  await esbuild.build({ entryPoints: [join(folder, "flows", `${name}.ts`)], bundle: true, format: "esm", outfile });
  return await import(pathToFileURL(outfile).href);
}

console.log("\n— Flows through a validating proxy");
const server = await startDevServer();
let proxy: ChildProcess | undefined;
let people = Date.now() % 1_000_000;
const setting = {
  newIdentifier: () => `asha.${people++}@example.com`,
  // Of ASCII alone, because the proxy reads multipart bodies as text.
  document: () => new Blob([pdf()], { type: "application/pdf" }),
  async readCode(identifier: string): Promise<string> {
    for (let tries = 0; tries < 50; tries++) {
      const outbox = `${server.base}/dev/outbox?to=${encodeURIComponent(identifier)}`;
      const answer = await fetch(outbox, { headers: { accept: "application/json" } });
      const { messages } = (await answer.json()) as { messages: { code: string | null }[] };
      if (messages[0]?.code) return messages[0].code;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error(`no code arrived for ${identifier}`);
  },
};
try {
  const started = await startProxy(server.base);
  proxy = started.proxy;
  const { base } = started;
  for (const name of ["openapi-fetch", "hey-api"]) {
    await (await loadFlow(name)).run({ ...setting, proxy: base });
    console.log(`${name}: done`);
  }
  const violation = await fetch(`${base}/api/auth/otp/request`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ identifier: 7 }),
  });
  if (violation.ok) throw new Error("the proxy let a request pass that the document does not allow");
} finally {
  proxy?.kill("SIGTERM");
  await server.stop();
}
console.log("\nopenapi.json holds.");
