import { expect, it } from "vitest";
import postman from "../docs/postman.json?raw";
import { collectionText } from "../scripts/docs/collection.ts";
import { fillPage, generated, tablesOf } from "../scripts/docs/generated.ts";
import { openApiDocument } from "../scripts/docs/openapi.ts";

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

it("the Postman collection has the operations of the document", () => {
  expect(postman, "run npm run docs").toBe(collectionText(openApiDocument() as never));
});
