import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, generate } from "./generate.ts";

// `npm run client:types`: writes the client's types from openapi.json, or from another document: `-- FILE`.

const root = join(import.meta.dirname, "..", "..");
const document = process.argv[2] ?? join(root, "openapi.json");
writeFileSync(
  join(root, "client", "src", "generated.ts"),
  format(generate(JSON.parse(readFileSync(document, "utf8")))),
);
