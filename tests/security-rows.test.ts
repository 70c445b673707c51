import { expect, test } from "vitest";
import { deviations } from "../scripts/docs/deviations.ts";
import { securityRows, withoutSubject } from "./security-rows.ts";

const tests = import.meta.glob<string>("./**/*.test.ts", { query: "?raw", import: "default", eager: true });

/** Names of a file's tests and groups, and the first cell of each row in a table of races. */
function titlesOf(text: string): string[] {
  const titles = [...text.matchAll(/(["`])((?:(?!\1).)+)\1,\s*(?:\{[^}]*\},\s*)?(?:async\s*)?[\w.<>]*\(/g)].map(
    (found) => found[2] ?? "",
  );
  const cells = [...text.matchAll(/\[\s*"(R\d+: [^"]+)"/g)].map((found) => found[1] ?? "");
  return [...titles, ...cells];
}

test("every security requirement refers to an existing test or a documented deviation", () => {
  const missing: string[] = [];
  for (const [id, { tests: shown = [], deviation }] of Object.entries(securityRows)) {
    if (shown.length === 0 && !deviation) missing.push(`${id}: nothing`);
    if (deviation && !(deviation in deviations)) missing.push(`${id}: ${deviation}`);
    for (const [file, name] of shown) {
      const text = tests[`./${file.replace("tests/", "")}`];
      if (!titlesOf(text ?? "").some((title) => title.includes(name))) missing.push(`${id}: ${file}: ${name}`);
    }
  }
  expect(missing).toEqual([]);
});

test("every requirement that a test's name cites is in the table", () => {
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
