import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CLAIM, claimState, isClaimed } from "../../scripts/dev/claim-state.ts";
import { openDatabases } from "../../scripts/seed/databases.ts";

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "users-api-claim-"));
});
after(() => rmSync(folder, { recursive: true }));

/** Starts a process with the name of the development server that claims the state and waits for its input to end. */
async function startServer(state: string): Promise<ChildProcess> {
  const module = join(import.meta.dirname, "..", "..", "scripts", "dev", "claim-state.ts");
  const script = join(folder, "dev.ts");
  writeFileSync(
    script,
    `import { readFileSync } from "node:fs";
    import { claimState } from ${JSON.stringify(module)};
    console.log(claimState(${JSON.stringify(state)}));
    readFileSync(0);`,
  );
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script]);
  const said = await new Promise<string>((resolve) => child.stdout.once("data", (data) => resolve(String(data))));
  assert.equal(said.trim(), "true");
  return child;
}

test("local databases are in use while their server runs, and free after it has ended", async () => {
  const state = join(folder, "ended");
  const server = await startServer(state);
  assert.equal(claimState(state), false);
  assert.throws(() => openDatabases(state), /A running server has the local databases open/);
  server.stdin?.end();
  await new Promise((resolve) => server.once("close", resolve));
  assert.ok(!existsSync(join(state, CLAIM)));
  assert.equal(openDatabases(state), undefined);
});

test("a claim on local databases is void if its server was killed, or another program has its process id", async () => {
  const state = join(folder, "killed");
  const server = await startServer(state);
  server.kill("SIGKILL");
  await new Promise((resolve) => server.once("close", resolve));
  assert.ok(existsSync(join(state, CLAIM)));
  assert.equal(isClaimed(state), false);
  writeFileSync(join(state, CLAIM), "1");
  assert.equal(isClaimed(state), false);
  assert.equal(claimState(state), true);
});
