import { watch } from "node:fs";
import { join, sep } from "node:path";
import { root } from "../operations/wrangler.ts";

/** Folders that the Workers and their pages are built from. */
export const sourceFolders = ["src", "dev", "console", "client"];
/** Folders below them in which tools write. */
const NO_SOURCE = [".wrangler", "node_modules"];

/** Calls `changed` whenever a source file changes, until the returned function is called. */
export function watchSources(changed: () => void): () => void {
  const watchers = sourceFolders.map((folder) =>
    watch(join(root, folder), { recursive: true }, (_, path) => {
      if (!path?.split(sep).some((name) => NO_SOURCE.includes(name))) changed();
      // A folder that is removed while it is watched is no reason to end.
    }).on("error", () => {}),
  );
  return () => {
    for (const each of watchers) each.close();
  };
}
