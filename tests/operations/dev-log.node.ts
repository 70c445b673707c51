import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createRelay } from "../../scripts/dev/log-lines.ts";
import { readLocalSettings, writeLocalConfiguration } from "../../scripts/dev/settings.ts";
import { drawCard } from "../../scripts/seed/drawing.ts";
import { settingNames } from "../../src/config.ts";
import { inspectDocument } from "../../src/users/kyc/files/document-file.ts";

const READABLE = { isJson: false, isColored: false, showsBindings: true };

function relayed(chunks: readonly string[], style = READABLE): string[] {
  const lines: string[] = [];
  const relay = createRelay(style, { write: (line) => lines.push(line), onLogged: () => {} });
  for (const chunk of chunks) relay(chunk);
  return lines;
}

const request = {
  ...{ time: "2026-11-30T11:04:28.542Z", level: "info", event: "request", request_id: "ac55478f", ip: "127.0.0.1" },
  ...{ method: "PUT", path: "/api/users/profile", status: 400, duration_ms: 12, user_id: "0192", session_id: "0193" },
  ...{ code: "validation_error", fields: "full_name=too_short" },
};

test("the development log shows a request as one readable line, or as one JSON object with LOG=json", () => {
  const text = `${JSON.stringify(request)}\n`;
  const line = "11:04:28 PUT /api/users/profile 400 validation_error 12 ms full_name=too_short user=0192";
  assert.deepEqual(relayed([text]), [line]);
  assert.deepEqual(relayed([text.slice(0, 40), text.slice(40)]), [line]);
  assert.deepEqual(relayed([`\u001b[31m✘ [ERROR] ${text.trim()}\u001b[0m\n`]), [line]);
  assert.deepEqual(relayed([text], { ...READABLE, isJson: true }), [JSON.stringify(request)]);
});

test("the development log shows the level and fields of other events", () => {
  const event = {
    time: "2026-11-30T11:04:29.000Z",
    level: "warn",
    event: "code_delayed",
    attempts: 2,
    reason: "timeout",
  };
  assert.deepEqual(relayed([`${JSON.stringify(event)}\n`]), ["11:04:29 warn code_delayed attempts=2 reason=timeout"]);
});

test("the development log shows the bindings once, without variables, even those of several lines", () => {
  const table = [
    "Your Worker has access to the following bindings:",
    "Binding                             Resource                  Mode",
    "env.KV (local-only-kv)              KV Namespace              local",
    'env.LOOKUP_SECRET ("c2VjcmV0")      Environment Variable      local',
    'env.APPLE_PRIVATE_KEY ("-----BEGIN PRIVATE KEY-----',
    'MIGHAgEAM...")                      Environment Variable      local',
    "",
    "something else",
    "",
  ].join("\n");
  assert.deepEqual(relayed([table, table]), ["  KV (local-only-kv): KV Namespace", "something else"]);
});

test("the development log omits wrangler's own lines, its advice about crons and the outbox page's requests", () => {
  const noise = [
    "⎔ Starting local server...",
    "[wrangler:info] Ready on http://127.0.0.1:8787",
    "[wrangler:info] GET /api/health 200 OK (5788ms)",
    "[wrangler:info] QUEUE tasks 10/10 (2642ms)",
    "\u001b[33m▲ \u001b[43;33m[\u001b[43;30mWARNING\u001b[43;33m]\u001b[0m \u001b[1mScheduled Workers are not automatically triggered during local development.\u001b[0m",
    "  To manually trigger a scheduled event, run:",
    '    curl "http://127.0.0.1:18787/cdn-cgi/local/scheduled"',
    JSON.stringify({ ...request, path: "/dev/outbox", status: 200 }),
  ];
  assert.deepEqual(relayed([`${noise.join("\n")}\n`]), []);
});

test("the development log shows the compiler's message of a failed build, without wrangler's error object", () => {
  const message = '[custom build] ✘ [ERROR] Unexpected ";"';
  const end = "✘ [ERROR] Running custom build `node scripts/build.ts` failed.";
  const dump = [
    "✘ [ERROR] k [Error]: Process exited with non-zero status (1)",
    "    at runCommand {",
    "",
    "  exitCode: 1",
  ];
  assert.deepEqual(relayed([`${[message, ...dump, end, ""].join("\n")}`]), [message, end]);
});

test("every documented setting, and no other variable, is read from the environment, then .dev.vars and wrangler.toml", () => {
  const folder = mkdtempSync(join(tmpdir(), "users-api-dev-vars-"));
  const devVars = join(folder, ".dev.vars");
  const environment = Object.fromEntries(settingNames.map((name) => [name, `own ${name}`]));
  const { vars, fromEnvironment } = readLocalSettings(
    "http://localhost:8787",
    { ...environment, PATH: "/bin" },
    devVars,
  );
  assert.deepEqual(vars, environment);
  assert.deepEqual(fromEnvironment, settingNames);
  const plain = () => readLocalSettings("http://localhost:8797", {}, devVars).vars;
  assert.deepEqual([plain().ISSUER, plain().APP_NAME], ["http://localhost:8797", "PowerBank"]);
  writeFileSync(devVars, "ISSUER=https://phone.test\nAPP_NAME=Own\nPATH=/bin\n");
  assert.deepEqual([plain().ISSUER, plain().APP_NAME, plain().PATH], ["https://phone.test", "Own", undefined]);
  rmSync(folder, { recursive: true });
});

test("the configuration that npm run dev writes is readable by its owner alone and has paths of the project", () => {
  const folder = mkdtempSync(join(tmpdir(), "users-api-settings-"));
  const file = join(folder, "dev", "wrangler.json");
  writeLocalConfiguration(file, { APP_NAME: "PowerBank" });
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const written = JSON.parse(readFileSync(file, "utf8"));
  assert.deepEqual(written.vars, { APP_NAME: "PowerBank" });
  assert.deepEqual([written.secrets, written.env], [undefined, undefined]);
  assert.ok(statSync(written.main).isFile());
  rmSync(folder, { recursive: true });
});

test("the pictures of seeded submissions are images that the service accepts", () => {
  for (const seed of [0, 1, 299]) {
    const result = inspectDocument(new Uint8Array(drawCard(seed)));
    assert.ok(result.ok);
    assert.equal(result.contentType, "image/png");
  }
});
