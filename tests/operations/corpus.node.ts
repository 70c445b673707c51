import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { root } from "../../scripts/operations/wrangler.ts";
import { fileNameOf, traits, verdictOf } from "../support/corpus/traits.ts";
import { runScript } from "./run-script.ts";

const folder = join(root, "tests", "corpus");
const corpus = (...args: string[]) => runScript("corpus.ts", args);

function withCopy(change: (copy: string) => void): ReturnType<typeof corpus> {
  const copy = mkdtempSync(join(tmpdir(), "corpus-"));
  try {
    cpSync(folder, copy, { recursive: true });
    change(copy);
    return corpus(copy);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

test("the corpus folder contains exactly the generated files", () => {
  const names = [...traits.map(fileNameOf), "verdicts.json"].sort();
  assert.deepEqual(readdirSync(folder).sort(), names);
  for (const trait of traits) {
    assert.ok(Buffer.compare(readFileSync(join(folder, fileNameOf(trait))), trait[1]) === 0, trait[0]);
  }
  const verdicts = Object.fromEntries(traits.map((trait) => [fileNameOf(trait), verdictOf(trait)]));
  assert.deepEqual(JSON.parse(readFileSync(join(folder, "verdicts.json"), "utf8")), verdicts);
});

test("npm run corpus gives the expected verdict for every file, leaves no metadata and changes no pixel", () => {
  const { status, stdout, stderr } = corpus(folder);
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, new RegExp(`^${traits.length} files: \\d+ accepted, \\d+ refused$`, "m"));
  assert.match(stdout, /^[4-9]\d images compared pixel by pixel, 0 files changed$/m);
  assert.match(stdout, /^\d\d accepted images had metadata, 0 still have it$/m);
  assert.match(stdout, /^jpeg-held-upright-big-endian\.jpg .*orientation 6 → 6; same pixels$/m);
  assert.match(stdout, /^pdf-with-a-signature\.pdf .*unchanged$/m);
});

test("npm run corpus fails if a verdict differs, or a file is missing or has no expected verdict", () => {
  const swapped = withCopy((copy) => cpSync(join(copy, "zeros.bin"), join(copy, "jpeg-baseline.jpg")));
  assert.equal(swapped.status, 1);
  assert.match(swapped.stdout, /^jpeg-baseline\.jpg .*EXPECTED image\/jpeg$/m);
  const missing = withCopy((copy) => rmSync(join(copy, "png-grey.png")));
  assert.equal(missing.status, 1);
  assert.match(missing.stdout, /^png-grey\.png +MISSING$/m);
  const unnamed = withCopy((copy) => writeFileSync(join(copy, "new.bin"), "x"));
  assert.equal(unnamed.status, 1);
  assert.match(unnamed.stdout, /^new\.bin .*NOT IN verdicts\.json$/m);
});

test("npm run corpus refuses a verdicts.json that is not an object of texts", () => {
  for (const content of ["", "[]", "null", '"image/png"', '{"a.png":1}']) {
    const { status, stderr } = withCopy((copy) => writeFileSync(join(copy, "verdicts.json"), content));
    assert.equal(status, 2, content);
    assert.match(stderr, /^verdicts\.json must be a JSON object of texts\./);
  }
});

test("npm run corpus prints its usage unless it gets exactly one folder", () => {
  for (const args of [[], [join(folder, "zeros.bin")], [folder, folder]]) {
    const { status, stderr } = corpus(...args);
    assert.equal(status, 2);
    assert.match(stderr, /npm run corpus -- DIR/);
  }
});
