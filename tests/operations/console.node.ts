import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { buildSync } from "esbuild";
import { experimental_readRawConfig } from "wrangler";
import { AUDITED } from "../../console/ui/audited.ts";
import { KEYS } from "../../console/ui/key-list.ts";
import { buildConsole } from "../../scripts/build-console.ts";
import { auditedEntities } from "../../src/db/platform-schema.ts";

const root = join(import.meta.dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "users-api-console-build-"));
after(() => rmSync(folder, { recursive: true }));

/** What may become part of the page: its own files, two packages, and data that the server shares with it. */
const ALLOWED = [
  ...[/^console\//, /^node_modules\/(preact|nepali-date-converter)\//],
  ...[/^src\/users\/kyc\/kyc-reasons\.ts$/, /^src\/staff\/operations\/dead-letter-limits\.ts$/],
];

test("the console is built from its own files and nothing else of the server", () => {
  const { inputs } = buildConsole(join(folder, "once"));
  const foreign = Object.keys(inputs).filter((path) => !ALLOWED.some((allowed) => allowed.test(path)));
  assert.deepEqual(foreign, []);
  assert.ok(Object.keys(inputs).length > 20);
});

test("two builds of the console are equal, byte for byte", () => {
  const [first, second] = [join(folder, "first"), join(folder, "second")].map(buildConsole);
  assert.ok(first && second);
  for (const part of ["script", "style"] as const) {
    assert.equal(basename(first[part]), basename(second[part]));
    assert.deepEqual(readFileSync(first[part]), readFileSync(second[part]));
  }
});

test("a build of the console leaves equal files untouched for a process that serves them, and removes older ones", () => {
  const served = join(folder, "served");
  const { script, style } = buildConsole(served);
  const [old, page] = [join(served, "files", "console-OLD.js"), join(served, "index.html")];
  writeFileSync(old, "");
  for (const file of [script, style, page]) utimesSync(file, 1, 1);
  buildConsole(served);
  for (const file of [script, style, page]) assert.equal(statSync(file).mtimeMs, 1_000, file);
  assert.deepEqual(readdirSync(join(served, "files")).sort(), [script, style].map((file) => basename(file)).sort());
  writeFileSync(script, "half a file");
  buildConsole(served);
  assert.notEqual(readFileSync(script, "utf8"), "half a file");
});

test("npm run dev builds again after a change of any file that becomes part of a page", () => {
  const { inputs } = buildConsole(join(folder, "watched"));
  const { metafile } = buildSync({
    absWorkingDir: root,
    entryPoints: [join(root, "client", "example", "main.ts")],
    bundle: true,
    write: false,
    metafile: true,
  });
  const { rawConfig } = experimental_readRawConfig({ config: join(root, "wrangler.toml") });
  const watched = [rawConfig.build?.watch_dir ?? []].flat();
  const files = [...Object.keys(inputs), ...Object.keys(metafile.inputs), "client/example/index.html"];
  const others = files.filter((file) => !["node_modules", ...watched].some((path) => file.startsWith(`${path}/`)));
  assert.deepEqual(others, []);
});

test("the console filters the audit trail by every type of entity that an audit entry can be about", () => {
  assert.deepEqual(Object.keys(AUDITED).sort(), [...auditedEntities].sort());
});

test("the console's list of keyboard shortcuts names every key that a screen handles, and no other", () => {
  const screens = readdirSync(join(root, "console"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".tsx"))
    .map((name) => readFileSync(join(root, "console", name), "utf8"));
  const acts = screens
    .flatMap((source) => [...source.matchAll(/useKeys\((.*?)\);$/gms)].map(([, given = ""]) => given))
    .flatMap((given) => [...given.matchAll(/(?:^|[{,])\s*"?([^\s"]|[0-9])"?: /gm)].map(([, key]) => key));
  // The key of + sends = without Shift.
  const acting = acts.filter((key) => key !== "=").sort();
  const listed = KEYS.flatMap(([keys]) => keys.toLowerCase().replace("−", "-").split(", ")).sort();
  assert.deepEqual(acting, listed);
});

test("the console stores only the switch for keyboard shortcuts and a pending sign-out, and writes no HTML", () => {
  const sources = readdirSync(join(root, "console"), { recursive: true, encoding: "utf8" });
  const lines = sources
    .filter((name) => /\.(ts|tsx|html)$/.test(name))
    .flatMap((name) => readFileSync(join(root, "console", name), "utf8").split("\n"));
  const suspect =
    /dangerouslySetInnerHTML|innerHTML|outerHTML|insertAdjacentHTML|localStorage|sessionStorage|indexedDB/;
  assert.deepEqual(
    lines.filter((line) => suspect.test(line) && !/"console-(keys|sign-out)"/.test(line)),
    [],
  );
});
