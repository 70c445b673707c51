import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { root } from "../../scripts/operations/wrangler.ts";
import { freePorts } from "./dev-server.ts";

// `npm run dev` as a developer meets it: clients that hang up, files that are broken for a moment, a terminal that is
// closed.

/** A clone whose files the test may break. */
let clone: string;
let port: number;
const base = () => `http://localhost:${port}`;

interface Running {
  child: ChildProcess;
  printed(): string;
}

before(async () => {
  clone = mkdtempSync(join(tmpdir(), "users-api-dev-"));
  for (const name of [
    ...["src", "client", "console", "scripts", "dev", "migrations", "build", "tests/support", "tests/bench"],
    ...["wrangler.toml", "package.json", "tsconfig.json", ".env"],
  ]) {
    mkdirSync(join(clone, name, ".."), { recursive: true });
    cpSync(join(root, name), join(clone, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(clone, "node_modules"), "dir");
  port = await freePorts(2);
});
after(() => rmSync(clone, { recursive: true, force: true }));

/** Runs a command in the clone, with the test's port and databases. */
function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(command, args, {
    cwd: clone,
    env: { ...process.env, PORT: String(port), PERSIST_TO: join(clone, "state"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (printed += chunk));
  return { child, printed: () => printed };
}

async function until(what: string, isSo: () => boolean | Promise<boolean>, patienceMs = 240_000): Promise<void> {
  for (const end = Date.now() + patienceMs; Date.now() < end; await sleep(100)) if (await isSo()) return;
  assert.fail(`${what} did not happen within ${patienceMs / 1000} s`);
}

const health = () =>
  fetch(`${base()}/api/health`).then(
    ({ status }) => status,
    () => 0,
  );

interface Process {
  pid: number;
  parent: number;
  args: string;
}

/** All processes but those that have ended and were not waited for. */
function processes(): Process[] {
  const { stdout } = spawnSync("ps", ["-eo", "pid=,ppid=,stat=,args="], { encoding: "utf8", maxBuffer: 10_000_000 });
  const lines = [...stdout.matchAll(/^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/gm)];
  return lines
    .filter(([, , , state = ""]) => !state.startsWith("Z"))
    .map(([, pid, parent, , args = ""]) => ({ pid: Number(pid), parent: Number(parent), args }));
}

/** A process and everything that it has started. */
function familyOf(pid: number, all = processes()): Process[] {
  const own = all.filter((each) => each.pid === pid);
  return [...own, ...all.filter(({ parent }) => parent === pid).flatMap((child) => familyOf(child.pid, all))];
}

/** Sends a part of a body, then closes the connection. */
function hangUp(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      const head = ["POST /api/auth/otp/request HTTP/1.1", `Host: localhost:${port}`, "Content-Type: application/json"];
      socket.write(`${[...head, "Content-Length: 500"].join("\r\n")}\r\n\r\n{"identifier": "98`);
      setTimeout(() => socket.destroy(), 20);
    });
    socket.once("close", () => resolve()).once("error", () => resolve());
  });
}

/** Signs up as an app does. */
async function signUp(identifier: string): Promise<void> {
  const post = async (path: string, body: object) => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(base() + path, { method: "POST", headers, body: JSON.stringify(body) });
    const { data, error } = (await response.json()) as { data: Record<string, string>; error?: object };
    assert.ok(response.ok, `${path}: ${response.status} ${JSON.stringify(error)}`);
    return data;
  };
  await post("/api/auth/otp/request", { identifier });
  let otp: string | undefined;
  await until("the code", async () => {
    const answer = await fetch(`${base()}/dev/outbox?to=${identifier}`, { headers: { accept: "application/json" } });
    otp = ((await answer.json()) as { messages: { code: string }[] }).messages[0]?.code;
    return otp !== undefined;
  });
  const { verification_token } = await post("/api/auth/otp/verify", { identifier, otp });
  await post("/api/auth/register", { identifier, verification_token });
}

/** Kills a process alone, as a closed terminal or a supervisor may, and expects all that it has started to end. */
async function killAlone(child: ChildProcess): Promise<void> {
  const family = familyOf(child.pid ?? 0);
  assert.ok(family.some(({ args }) => args.includes("workerd")) || child.exitCode !== null);
  child.kill("SIGKILL");
  const isLeft = (each: Process) => processes().some(({ pid, args }) => pid === each.pid && args === each.args);
  await until("the end of every process", () => !family.some(isLeft), 30_000).catch(() => {
    assert.deepEqual(family.filter(isLeft), []);
  });
}

test("npm run dev outlives clients that hang up and a broken file, and ends with its npm process", async () => {
  const { child, printed } = run("npm", ["run", "dev"]);
  try {
    await until("the start", () => printed().includes("Users API is running."));

    // Twenty clients hang up in the middle of their bodies while others sign up.
    const others = (async () => {
      for (let i = 0; i < 3; i++) await signUp(`asha${i}@example.com`);
    })();
    for (let i = 0; i < 20; i++) {
      await hangUp();
      await sleep(50);
    }
    await others;
    assert.equal(await health(), 200);
    assert.doesNotMatch(printed(), /ended unexpectedly/);

    // A module that throws while it is edited, then is mended.
    const file = join(clone, "src", "nepal.ts");
    const source = readFileSync(file, "utf8");
    writeFileSync(file, `${source}\nthrow new Error("broken while editing");\n`);
    await until("the error in the log", () => printed().includes("broken while editing")).finally(() =>
      writeFileSync(file, source),
    );
    assert.equal(child.exitCode, null, printed());
    await until("the answer after mending", async () => (await health()) === 200);
    await signUp("asha.later@example.com");

    // One readable line a request, and no line of wrangler's own, secret or escape sequence.
    assert.match(printed(), /^\d\d:\d\d:\d\d POST \/api\/auth\/register 201 \d+ ms/m);
    await fetch(`${base()}/api/auth/otp/verify`, { method: "POST", body: new URLSearchParams({ otp: "1" }) });
    await until("the line of a refusal", () =>
      /^\d\d:\d\d:\d\d POST \/api\/auth\/otp\/verify 400 validation_error \d+ ms .*identifier=required/m.test(
        printed(),
      ),
    );
    for (const noise of ["\u001b[", "[wrangler:info]", "not automatically triggered", '{"time"', "LOOKUP_SECRET"]) {
      assert.ok(!printed().includes(noise), noise);
    }
    assert.equal(printed().split("  DB (users-development): D1 Database").length, 2, "the bindings are shown once");
    const [secret = ""] =
      /LOOKUP_SECRET='([^']+)'/.exec(readFileSync(join(clone, ".dev.vars"), "utf8"))?.slice(1) ?? [];
    assert.ok(secret.length > 20);
    assert.ok(!printed().includes(secret), "no secret is printed");
    assert.deepEqual(
      processes().filter(({ args }) => args.includes(secret)),
      [],
      "no secret is on a command line",
    );
  } finally {
    await killAlone(child);
  }
  assert.equal(await health(), 0);
});

test("a setting that the Worker refuses ends npm run dev with 1 and its name", async () => {
  const { child, printed } = run("npm", ["run", "dev"], { GOOGLE_CLIENT_ID: "without its secret" });
  const code = await new Promise((resolve) => child.once("exit", resolve));
  assert.equal(code, 1);
  assert.match(printed(), /^From the environment: GOOGLE_CLIENT_ID$/m);
  assert.match(printed(), /refuses its settings: GOOGLE_CLIENT_SECRET: required with GOOGLE_CLIENT_ID/);
  assert.doesNotMatch(printed(), /Users API is running/);
});
