import { expect, it } from "vitest";
import { fillPage, generated, tablesOf } from "../scripts/docs/generated.ts";

const pages = import.meta.glob<string>("../docs/**/*.md", { query: "?raw", import: "default", eager: true });

/** Pages that contain tables generated from the code. */
const filled = Object.entries(pages).filter(([, text]) => tablesOf(text).length > 0);

it.each(filled)(
  "%s states what the code does: limits, routes, tasks, retention, costs, errors (ASVS 6.1.1, 6.1.3)",
  (_, text) => {
    expect(text, "run npm run docs").toBe(fillPage(text));
  },
);

it("each generated table is on exactly one page", () => {
  const shown = filled.flatMap(([, text]) => tablesOf(text));
  expect(shown.toSorted()).toEqual(Object.keys(generated).toSorted());
});
