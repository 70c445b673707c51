import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Writes a file, unless it has this content already: another process may be serving it. */
export function writeChanged(file: string, content: string | Uint8Array): void {
  if (existsSync(file) && Buffer.compare(readFileSync(file), Buffer.from(content)) === 0) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}
