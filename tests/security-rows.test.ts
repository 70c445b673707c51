import { expect, test } from "vitest";
import packageLock from "../package-lock.json?raw";
import readme from "../README.md?raw";
import { operationsOf } from "./fuzz/operations.ts";
import { securityRows, withoutSubject } from "./security-rows.ts";
import { call, newIp } from "./support/client.ts";
import { fetchDocument } from "./support/openapi.ts";

const raw = { query: "?raw", import: "default", eager: true } as const;
const tests = import.meta.glob<string>("./**/*.test.ts", raw);
const sources = import.meta.glob<string>("../src/**/*.ts", raw);

/** What the file calls its tests and groups; of a table of races the first cell of each row. */
function titlesOf(text: string): string[] {
  const titles = [...text.matchAll(/(["`])((?:(?!\1).)+)\1,\s*(?:\{[^}]*\},\s*)?(?:async\s*)?[\w.<>]*\(/g)].map(
    (found) => found[2] ?? "",
  );
  const cells = [...text.matchAll(/\[\s*"(R\d+: [^"]+)"/g)].map((found) => found[1] ?? "");
  return [...titles, ...cells];
}

test("Every security requirement is shown by a test that is there, or the README's words about it", () => {
  const spaced = (text: string) => text.replace(/\s+/g, " ");
  const missing: string[] = [];
  for (const [id, { tests: shown = [], readme: words }] of Object.entries(securityRows)) {
    if (shown.length === 0 && !words) missing.push(`${id}: nothing`);
    if (words && !spaced(readme).includes(spaced(words))) missing.push(`${id}: README: ${words}`);
    for (const [file, name] of shown) {
      const text = tests[`./${file.replace("tests/", "")}`];
      if (!titlesOf(text ?? "").some((title) => title.includes(name))) missing.push(`${id}: ${file}: ${name}`);
    }
  }
  expect(missing).toEqual([]);
});

test("Every requirement that a test's name cites is in the table", () => {
  const known = new Set([...Object.keys(securityRows), ...Object.keys(withoutSubject)]);
  const groups = new Set([...known].map((id) => id.split(".").slice(0, 2).join(".")));
  const cited = Object.values(tests)
    .flatMap(titlesOf)
    .flatMap((title) => [...title.matchAll(/ASVS ((?:\d+(?:\.\d+)+(?:-[\d.]+)?(?:, )?)+)/g)])
    .flatMap(([, list = ""]) => list.split(/, |-/).filter(Boolean))
    .map((id) => `ASVS ${id}`);
  expect(cited.length).toBeGreaterThan(50);
  expect(cited.filter((id) => !known.has(id) && !groups.has(id))).toEqual([]);
  for (const id of Object.keys(withoutSubject)) expect(Object.keys(securityRows)).not.toContain(id);
});

/** Lines of the Worker's own code, without comments. */
const code = Object.entries(sources).flatMap(([file, text]) =>
  text
    .split("\n")
    .filter((line) => !/^\s*(\/\/|\*|\/\*)/.test(line))
    .map((line) => `${file}: ${line.trim()}`),
);

test("ASVS 11.2.4: no secret is compared by an operator that tells by its time how much of it fits", () => {
  const compared = code.filter(
    (line) =>
      /(?:hash|signature|digest|mac|secret)\w*\)? (?:===|!==) /i.test(line) ||
      /(?:===|!==) \w*(?:hash|signature|digest|mac\b|secret)/i.test(line),
  );
  // Keyed hashes of bodies, of which a caller learns one bit whatever it takes; and ids.
  const harmless = /bodyHash|secretId|typeof/;
  expect(compared.filter((line) => !harmless.test(line))).toEqual([]);
});

test("ASVS 11.5.1, 6.5.3: nothing is drawn by a generator that can be guessed", () => {
  expect(code.filter((line) => line.includes("Math.random"))).toEqual([]);
  expect(
    code.filter((line) => /\b(?:randomUUID|uuidv?[1347])\(/.test(line) && /token|secret|code\b/i.test(line)),
  ).toEqual([]);
});

test("ASVS 15.1.2: every package is locked to a version and a hash, of one registry", () => {
  const { packages } = JSON.parse(packageLock) as {
    packages: Record<string, { resolved?: string; integrity?: string; link?: boolean }>;
  };
  const locked = Object.entries(packages).filter(([path]) => path !== "");
  expect(locked.length).toBeGreaterThan(50);
  expect(locked.filter(([, { integrity }]) => !integrity?.startsWith("sha512-")).map(([path]) => path)).toEqual([]);
  expect(new Set(locked.map(([, { resolved = "" }]) => resolved && new URL(resolved).host)).size).toBe(1);
});

test("ASVS 1.3.12: ten thousand characters in any field that anyone may send come to an answer, whatever pattern they meet", async () => {
  const hostile = ["a", "0", "+", "a@", "a.", " ", "\u0301", "%"].map((part) => part.repeat(10_000 / part.length));
  for (const operation of operationsOf(await fetchDocument()).filter(
    ({ isGuarded, body }) => !isGuarded && body?.takesJson,
  )) {
    for (const text of hostile) {
      const json = Object.fromEntries(Object.keys(operation.body?.fields ?? {}).map((name) => [name, text]));
      const { status } = await call(operation.method, operation.path, { ip: newIp(), json });
      expect([400, 401, 404], `${operation.name} ${text.slice(0, 4)}`).toContain(status);
    }
  }
});
