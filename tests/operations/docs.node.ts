import assert from "node:assert/strict";
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..", "..");
const pages = [
  ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"],
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
].map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> };

/** The results of `find` for each page, each prefixed with the page's path. */
const inEachPage = (find: (page: (typeof pages)[number]) => string[]) =>
  pages.flatMap((page) => find(page).map((found) => `${page.path}: ${found}`));

/** The anchor that GitHub generates for a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

const anchorsOf = (text: string) => [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading));

test("every relative link in the documents leads to an existing file and heading", () => {
  const broken = inEachPage(({ path, text }) =>
    [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)].flatMap(([link, file = "", anchor]) => {
      const target = file === "" ? join(root, path) : join(root, dirname(path), file);
      if (!existsSync(target)) return [link];
      return anchor && !anchorsOf(readFileSync(target, "utf8")).includes(anchor) ? [link] : [];
    }),
  );
  assert.deepEqual(broken, []);
});

test("every command that the documents name is in package.json", () => {
  const named = inEachPage(({ text }) =>
    [...text.matchAll(/npm run (?:-s )?([a-z][\w:]*)/g)].map(([, name = ""]) => name),
  );
  assert.ok(named.length > 50);
  assert.deepEqual(
    named.filter((each) => !Object.hasOwn(scripts, each.split(": ")[1] ?? "")),
    [],
  );
});

test("the README names every command that is run by `npm run`", () => {
  // `npm test`, and what npm runs after an installation.
  const others = ["test", "prepare"];
  const named = new Set([...(pages[0]?.text ?? "").matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name));
  const unnamed = Object.keys(scripts).filter((name) => !others.includes(name) && !named.has(name));
  assert.deepEqual(unnamed, []);
});

test("every path that the documents name in backticks exists", () => {
  const named = inEachPage(({ text }) =>
    [...text.matchAll(/`((?:src|tests|scripts|docs|dev|build|migrations|console|client)\/[\w./-]+)`/g)].map(
      ([, path = ""]) => path,
    ),
  );
  assert.ok(named.length > 20);
  assert.deepEqual(
    named.filter((each) => !existsSync(join(root, each.split(": ")[1] ?? ""))),
    [],
  );
});

test("the README has at most 200 lines, and every other page at most 400", () => {
  const tooLong = inEachPage(({ path, text }) => {
    const lines = text.split("\n").length - 1;
    return lines > (path === "README.md" ? 200 : 400) ? [`${lines} lines`] : [];
  });
  assert.deepEqual(tooLong, []);
});

test("every page can be reached from the README through links", () => {
  const reached = new Set(["README.md"]);
  for (const path of reached) {
    const text = pages.find((page) => page.path === path)?.text ?? "";
    for (const [, file = ""] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) reached.add(join(dirname(path), file));
  }
  assert.deepEqual(
    pages.map(({ path }) => path).filter((path) => !reached.has(path)),
    [],
  );
});

test("every event that the runbook filters by is logged by the source", () => {
  const source = globSync("src/**/*.ts", { cwd: root })
    .map((path) => readFileSync(join(root, path), "utf8"))
    .join("\n");
  const runbook = readFileSync(join(root, "docs/operations/runbook.md"), "utf8");
  const events = [...runbook.matchAll(/`event = "(\w+)"`/g)].map(([, name]) => name ?? "");
  assert.ok(events.length >= 6);
  const logged = new Set(
    [...source.matchAll(/(?:\.\w+|\])\("(\w+)",|raiseAlert\([^"]*"(\w+)"/g)].map(([, a, b]) => a ?? b),
  );
  assert.deepEqual(
    events.filter((name) => !logged.has(name)),
    [],
  );
});
