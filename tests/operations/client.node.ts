import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";
import { format, generate } from "../../client/build/generate.ts";

const root = join(import.meta.dirname, "..", "..");
const client = join(root, "client");
const MAX_GZIP_BYTES = 6 * 1024;

test("the client package takes at most 6 KB of a bundle", () => {
  const built = buildSync({
    entryPoints: [join(client, "src", "index.ts")],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2020",
    write: false,
    metafile: true,
  });
  const bytes = gzipSync(built.outputFiles[0]?.contents ?? "", { level: 9 }).length;
  console.log(`# ${bytes} bytes, compressed`);
  assert.ok(bytes <= MAX_GZIP_BYTES, `${bytes} bytes`);
  const sources = Object.keys(built.metafile.inputs);
  assert.deepEqual(
    sources.filter((path) => !path.startsWith("client/src/")),
    [],
    "it has no dependencies",
  );
});

test("the client's types match openapi.json", () => {
  const document = join(root, "openapi.json");
  assert.ok(existsSync(document));
  const source = format(generate(JSON.parse(readFileSync(document, "utf8"))));
  assert.equal(readFileSync(join(client, "src", "generated.ts"), "utf8"), source, "run npm run docs");
});

test("the client and the example app compile with the types of a browser alone", () => {
  const compiled = spawnSync(
    process.execPath,
    [join(root, "node_modules/typescript/bin/tsc"), "--project", join(client, "tsconfig.json")],
    { encoding: "utf8" },
  );
  assert.equal(compiled.stdout, "");
  assert.equal(compiled.status, 0);
});
