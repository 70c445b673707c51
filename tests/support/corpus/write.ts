import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileNameOf, traits, verdictOf } from "./traits.ts";

// `node tests/support/corpus/write.ts` rewrites tests/corpus: one file per trait, and the expected outcomes.

const folder = join(import.meta.dirname, "..", "..", "corpus");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
for (const trait of traits) writeFileSync(join(folder, fileNameOf(trait)), trait[1]);
const verdicts = Object.fromEntries(traits.map((trait) => [fileNameOf(trait), verdictOf(trait)]));
writeFileSync(join(folder, "verdicts.json"), `${JSON.stringify(verdicts, null, 2)}\n`);
