import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readArguments } from "./arguments.ts";

readArguments({
  name: "docs",
  about:
    "Writes the tables of the pages below docs/, openapi.json, the Postman collection and the client's types from the code.",
});

/** Node imports JSON as a default export only; the Worker's bundler also gives its members by name. */
registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith("/package.json")) return nextLoad(url, context);
    const { version } = JSON.parse(readFileSync(fileURLToPath(url), "utf8")) as { version: string };
    return {
      format: "module",
      shortCircuit: true,
      source: `export const version = ${JSON.stringify(version)}; export default { version };`,
    };
  },
});

const { fillPage } = await import("./docs/generated.ts");
const root = join(import.meta.dirname, "..", "docs");
for (const file of readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md"))) {
  const path = join(root, file);
  const page = readFileSync(path, "utf8");
  const filled = fillPage(page);
  if (filled === page) continue;
  writeFileSync(path, filled);
  console.log(`wrote docs/${file}`);
}

const { openApiDocument, openApiText } = await import("./docs/openapi.ts");
writeFileSync(join(root, "..", "openapi.json"), openApiText());

const { collectionText } = await import("./docs/collection.ts");
writeFileSync(join(root, "postman.json"), collectionText(openApiDocument() as never));

const { writeTypes } = await import("../client/build/types.ts");
writeTypes();
