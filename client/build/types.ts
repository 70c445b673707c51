import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, generate } from "./generate.ts";

const root = join(import.meta.dirname, "..", "..");

/** Writes the client's types from openapi.json. */
export function writeTypes(): void {
  const document = JSON.parse(readFileSync(join(root, "openapi.json"), "utf8"));
  writeFileSync(join(root, "client", "src", "generated.ts"), format(generate(document)));
}
