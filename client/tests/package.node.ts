import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Server, startServer } from "../../tests/bench/server-process.ts";

const client = join(import.meta.dirname, "..");
const modules = join(client, "..", "node_modules");
/** A folder in which the packed package is installed, as in a project of an app. */
let app: string;
let server: Server;

before(async () => {
  app = mkdtempSync(join(tmpdir(), "users-client-package-"));
  const installed = join(app, "node_modules", "@powerbank", "users-client");
  mkdirSync(installed, { recursive: true });
  const packed = spawnSync("npm", ["pack", "--json", "--pack-destination", app], {
    cwd: client,
    encoding: "utf8",
    env: { ...process.env, PATH: `${join(modules, ".bin")}:${process.env.PATH}` },
  });
  assert.equal(packed.status, 0, packed.stderr);
  const [archive] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf("["))) as { filename: string }[];
  const unpacked = spawnSync("tar", [
    "-xzf",
    join(app, archive?.filename ?? ""),
    "-C",
    installed,
    "--strip-components=1",
  ]);
  assert.equal(unpacked.status, 0, String(unpacked.stderr));
  writeFileSync(join(app, "package.json"), JSON.stringify({ type: "module" }));
  server = await startServer(["--persist", join(app, "state")]);
});

after(async () => {
  await server?.stop();
  rmSync(app, { recursive: true, force: true });
});

test("the package holds its program, its types, README and licence, and nothing else needs to be installed", () => {
  const installed = join(app, "node_modules", "@powerbank", "users-client");
  for (const file of ["dist/index.js", "dist/index.d.ts", "README.md", "LICENSE"]) {
    assert.ok(existsSync(join(installed, file)), file);
  }
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  assert.deepEqual([dependencies, peerDependencies], [undefined, undefined]);
  assert.ok(!existsSync(join(installed, "src")));
});

test("the first snippet of the README compiles and runs as it stands", () => {
  const [, snippet = ""] = /```ts\n(.*?)```/s.exec(readFileSync(join(client, "README.md"), "utf8")) ?? [];
  writeFileSync(join(app, "start.ts"), snippet);
  const strict = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--module", "nodenext", "--target", "es2022"];
  const types = [
    "--types",
    "node",
    "--typeRoots",
    join(modules, "@types"),
    "--lib",
    "es2022",
    "--skipLibCheck",
    "false",
  ];
  const compiled = spawnSync(
    process.execPath,
    [join(modules, "typescript", "bin", "tsc"), ...strict, ...types, "start.ts"],
    { cwd: app, encoding: "utf8" },
  );
  assert.equal(compiled.stdout, "");
  const run = spawnSync(process.execPath, ["--no-warnings", "start.ts"], {
    cwd: app,
    encoding: "utf8",
    env: { ...process.env, USERS_API: server.url },
  });
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stdout, /^Welcome, person\d+/);
  assert.match(run.stdout, /too_short/);
  assert.match(run.stdout, /Show the sign-in: logout\n$/);
});
