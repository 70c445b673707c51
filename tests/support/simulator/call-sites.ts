/// <reference types="vite/client" />
import type { BindingCall } from "./scheduler.ts";

/** A binding call site in the source: `src/topic/file.ts:line:column`. */
export type CallSite = string;

const sources = import.meta.glob<string>("../../../src/**/*.ts", { query: "?raw", import: "default", eager: true });

/** Matches direct binding calls and calls of the function that runs batches. */
const CALL =
  /\b(runBatch|onSearch)\(|\bdeps\.kv\.(get|put|delete|list)\(|\bdeps\.bucket\.(get|put|delete|list|head)\(|\.(sendBatch)\(|\brateLimiter\.(limit)\(|\$client\.(prepare)\(/g;
/** Shared functions; the call site is their caller. */
const THROUGH = /at (runBatch|onSearch) /;
/** Declarations, and the internal calls between the shared functions. */
const NOT_A_SITE = /function (runBatch|onSearch)\b|^\s*\*|return runBatch\(\{ db: deps\.searchDb/;

interface Site {
  file: string;
  line: number;
  column: number;
}

const listed: Site[] = Object.entries(sources).flatMap(([path, text]) => {
  const file = path.replace(/^.*\/src\//, "src/");
  return text.split("\n").flatMap((code, i) => {
    if (NOT_A_SITE.test(code)) return [];
    return [...code.matchAll(CALL)].map((match) => {
      const name = match.slice(1).find((each) => each !== undefined) ?? "";
      return { file, line: i + 1, column: match.index + match[0].indexOf(name) + 1 };
    });
  });
});

const nameOf = ({ file, line, column }: Site): CallSite => `${file}:${line}:${column}`;

/** All binding call sites in the source. */
export const callSites: readonly CallSite[] = listed.map(nameOf);

/** Call site of a call, from its stack; undefined if the stack contains no known site. */
export function siteOf(call: BindingCall): CallSite | undefined {
  const frames = (call.origin.stack ?? "").split("\n");
  const frame = frames.find((each) => each.includes("/src/") && !THROUGH.test(each));
  const [, file, line, column] = frame?.match(/\/(src\/.+\.ts):(\d+):(\d+)/) ?? [];
  if (file === undefined) return undefined;
  const here = listed.filter((site) => site.file === file && site.line === Number(line));
  // Of two sites in one line, the last that begins before the call.
  const found = here.findLast((site) => site.column <= Number(column)) ?? here[0];
  return found && nameOf(found);
}
