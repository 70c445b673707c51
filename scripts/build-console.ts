import { globSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { buildSync, type Metafile } from "esbuild";
import { writeChanged } from "./write-changed.ts";

const root = join(import.meta.dirname, "..");

/**
 * Builds the staff console: one script and one style sheet below `files/`, whose names contain a hash of their content,
 * and the page that loads them. Files of earlier builds are removed afterwards: another process may be serving the folder.
 */
export function buildConsole(folder: string): { script: string; style: string; inputs: Metafile["inputs"] } {
  const files = join(folder, "files");
  const { metafile, outputFiles } = buildSync({
    absWorkingDir: root,
    entryPoints: { console: join(root, "console", "main.tsx") },
    outdir: files,
    entryNames: "console-[hash]",
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    metafile: true,
    write: false,
  });
  const built = Object.keys(metafile.outputs).map((path) => basename(path));
  const [script, style] = [".js", ".css"].map((end) => built.find((name) => name.endsWith(end)));
  if (!script || !style) throw new Error("the console needs a script and a style sheet");
  const page = readFileSync(join(root, "console", "index.html"), "utf8");
  for (const { path, contents } of outputFiles) writeChanged(path, contents);
  writeChanged(join(folder, "index.html"), page.replace("SCRIPT", script).replace("STYLE", style));
  for (const name of globSync("*", { cwd: files })) {
    if (!built.includes(name)) rmSync(join(files, name), { force: true });
  }
  return { script: join(files, script), style: join(files, style), inputs: metafile.inputs };
}
