import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fieldErrorText } from "../src/platform/http/field-errors.ts";
import { type Inspected, inspectDocument } from "../src/users/kyc/files/document-file.ts";
import { readArguments } from "./arguments.ts";
import { decode, isSame } from "./corpus/decode.ts";
import { findMetadata } from "./corpus/metadata.ts";

const { operands, refuse } = readArguments({
  name: "corpus",
  about: "Cleans every image and PDF of a folder as if it were a submitted identity document, and prints the results.",
  operands: "DIR",
  most: 1,
  notes: [
    "The folder may have a verdicts.json with the expected results: a content type, or the code of the refusal and the",
    "format that it names.",
  ],
});
const [folder = refuse("Name the folder.")] = operands;
if (!existsSync(folder) || !statSync(folder).isDirectory()) refuse(`${folder} is not a folder.`);

const VERDICTS = "verdicts.json";
const expected = existsSync(join(folder, VERDICTS)) ? readVerdicts(join(folder, VERDICTS)) : undefined;

const names = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name !== VERDICTS && statSync(join(folder, name)).isFile())
  .sort();
const sums = { accepted: 0, refused: 0, compared: 0, withMetadata: 0, left: 0, changed: 0, unexpected: 0 };
const reasons = new Map<string, number>();
const width = Math.min(60, Math.max(4, ...names.map((name) => name.length)));

console.log(`${"File".padEnd(width)}  Verdict`);
for (const name of names) {
  const bytes = new Uint8Array(readFileSync(join(folder, name)));
  const result = inspectDocument(bytes);
  const notes = result.ok ? await describeKept(bytes, result) : [fieldErrorText(result.error, "en")];
  if (result.ok) sums.accepted++;
  else {
    sums.refused++;
    const reason = fieldErrorText(result.error, "en");
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const problem = expected && findUnexpected(expected[name], result);
  if (problem) {
    sums.unexpected++;
    notes.push(problem);
  }
  console.log(
    `${name.padEnd(width)}  ${result.ok ? `accepted ${result.contentType}` : "refused"}: ${notes.join("; ")}`,
  );
}
const missing = Object.keys(expected ?? {}).filter((name) => !names.includes(name));
for (const name of missing) console.log(`${name.padEnd(width)}  MISSING`);

console.log(`\n${names.length} files: ${sums.accepted} accepted, ${sums.refused} refused`);
for (const [reason, count] of [...reasons].sort(([, a], [, b]) => b - a)) console.log(`  ${count} × ${reason}`);
console.log(`${sums.compared} images compared pixel by pixel, ${sums.changed} files changed`);
console.log(`${sums.withMetadata} accepted images had metadata, ${sums.left} still have it`);
if (expected) console.log(`${sums.unexpected + missing.length} results differ from ${VERDICTS}`);
process.exit(sums.changed + sums.left + sums.unexpected + missing.length > 0 ? 1 : 0);

function readVerdicts(file: string): Readonly<Record<string, string>> {
  try {
    const verdicts = JSON.parse(readFileSync(file, "utf8"));
    const isObject = typeof verdicts === "object" && verdicts !== null && !Array.isArray(verdicts);
    if (isObject && Object.values(verdicts).every((each) => typeof each === "string")) return verdicts;
  } catch {
    // The message below says what is expected.
  }
  return refuse(`${VERDICTS} must be a JSON object of texts.`);
}

async function describeKept(bytes: Uint8Array, kept: Inspected & { ok: true }): Promise<string[]> {
  const size = `${bytes.length} bytes, ${kept.bytes.length} kept`;
  if (kept.contentType === "application/pdf") {
    const isWhole = Buffer.compare(bytes, kept.bytes) === 0;
    if (!isWhole) sums.changed++;
    return [size, isWhole ? "unchanged" : "BYTES CHANGED"];
  }
  const before = findMetadata(Buffer.from(bytes), kept.contentType);
  const after = findMetadata(Buffer.from(kept.bytes), kept.contentType);
  const list = (metadata: Map<string, number>) =>
    [...metadata].map(([name, n]) => (n > 1 ? `${n} ${name}` : name)).join(", ");
  if (before.metadata.size > 0) sums.withMetadata++;
  if (after.metadata.size > 0) sums.left++;
  const notes = [size, `metadata ${list(before.metadata) || "none"} → ${list(after.metadata) || "none"}`];
  if (before.orientation !== 1) notes.push(`orientation ${before.orientation} → ${after.orientation}`);
  const [pixels, keptPixels] = [await decode(bytes, kept.contentType), await decode(kept.bytes, kept.contentType)];
  if (!pixels) return [...notes, keptPixels ? "only the cleaned file can be decoded" : "neither file can be decoded"];
  sums.compared++;
  const isUnchanged = keptPixels && isSame(pixels, keptPixels) && before.orientation === after.orientation;
  if (!isUnchanged) sums.changed++;
  return [...notes, isUnchanged ? "same pixels" : "PIXELS CHANGED"];
}

function findUnexpected(verdict: string | undefined, result: Inspected): string | undefined {
  if (verdict === undefined) return `NOT IN ${VERDICTS}`;
  const { code, format } = result.ok ? { code: result.contentType, format: undefined } : result.error;
  return (format ? `${code} ${format}` : code) === verdict ? undefined : `EXPECTED ${verdict}`;
}
