import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { awaitOutput } from "../../scripts/await-output.ts";
import { root } from "../../scripts/operations/wrangler.ts";

/** How long a server may take to start on a busy machine. */
const START_MS = 300_000;

let clone = "";
before(() => {
  clone = mkdtempSync(join(tmpdir(), "users-api-clone-"));
  const folders = ["src", "console", "client", "scripts", "migrations", "build"];
  for (const name of [...folders, "wrangler.toml", "tsconfig.json", "package.json", ".env"]) {
    cpSync(join(root, name), join(clone, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(clone, "node_modules"), "dir");
});
after(() => rmSync(clone, { recursive: true, force: true }));

/** Starts a plain `wrangler dev` in the clone and returns the address that it prints when it is ready. */
async function startWrangler(): Promise<{ base: string; stop(): Promise<void> }> {
  const bin = join(clone, "node_modules", "wrangler", "bin", "wrangler.js");
  const args = [bin, "dev", "--ip", "127.0.0.1", "--port", "0", "--inspector-port", "0"];
  const server = spawn(process.execPath, args, { cwd: clone, stdio: ["ignore", "pipe", "pipe"] });
  const stopped = new Promise((resolve) => server.once("exit", resolve));
  const [, base = ""] = await awaitOutput(server, /Ready on (http:\/\/127\.0\.0\.1:\d+)/, START_MS);
  return {
    base,
    async stop() {
      server.kill("SIGTERM");
      await stopped;
    },
  };
}

test("a plain wrangler dev works on a fresh clone and keeps its secrets at the next start", async () => {
  const first = await startWrangler();
  try {
    assert.equal((await fetch(`${first.base}/api/health`)).status, 200);
    const body = new URLSearchParams({ identifier: "9841234567" });
    const answer = await fetch(`${first.base}/api/auth/otp/request`, { method: "POST", body });
    assert.equal(answer.status, 200, await answer.text());
  } finally {
    await first.stop();
  }
  const secrets = readFileSync(join(clone, ".dev.vars"), "utf8");
  assert.equal(statSync(join(clone, ".dev.vars")).mode & 0o777, 0o600);
  const second = await startWrangler();
  try {
    assert.equal((await fetch(`${second.base}/api/health`)).status, 200);
    assert.equal(readFileSync(join(clone, ".dev.vars"), "utf8"), secrets);
  } finally {
    await second.stop();
  }
});
