import type { Compared } from "./compare.ts";
import type { Cost } from "./measure.ts";

/** Columns of the cost table. */
const COLUMNS: [string, (cost: Cost) => number | string][] = [
  ["D1", ({ d1, d1BeforeAnswer }) => (d1 === d1BeforeAnswer ? d1 : `${d1BeforeAnswer} + ${d1 - d1BeforeAnswer}`)],
  ["rows read", ({ rowsRead }) => rowsRead],
  ["rows written", ({ rowsWritten }) => rowsWritten],
  ["search", ({ search }) => search],
  ["KV", ({ kv }) => kv],
  ["R2", ({ r2 }) => r2],
  ["queue", ({ queue }) => queue],
];

/** The costs as a Markdown table with a row per outcome; outcomes of one operation with the same cost share a row. */
export function tableOf(compared: readonly Compared[]): string[] {
  const mostExpensive = [...Map.groupBy(compared, ({ outcome }) => outcome)].map(([outcome, all]) => {
    const sorted = all.toSorted((a, b) => a.many.rowsRead - b.many.rowsRead || a.many.d1 - b.many.d1);
    return { outcome, cells: cellsOf(sorted.at(-1) ?? all[0]) };
  });
  const byOperation = Map.groupBy(mostExpensive, ({ outcome }) => operationOf(outcome));
  const rows = [...byOperation].flatMap(([operation, outcomes]) =>
    [...Map.groupBy(outcomes, ({ cells }) => cells.join(" | "))].map(([cells, same]) => {
      const answers = same.map(({ outcome }) => outcome.slice(operation.length).trim()).sort();
      return `| ${operation} | ${answers.map((each) => each || "done").join(", ")} | ${cells} |`;
    }),
  );
  const names = ["operation, message or job", "outcome", ...COLUMNS.map(([name]) => name)];
  return [`| ${names.join(" | ")} |`, `|${names.map(() => "---|").join("")}`, ...rows.sort()];
}

/** `METHOD /path` of a request's outcome; the full text of any other. */
const operationOf = (outcome: string) => outcome.match(/^[A-Z]+ \/\S*/)?.[0] ?? outcome;

function cellsOf(compared: Compared | undefined): string[] {
  if (!compared) return [];
  return COLUMNS.map(([name, read]) => {
    const [few, many] = [read(compared.few), read(compared.many)];
    const differs = name === "rows read" ? compared.bound !== undefined && few !== many : few !== many;
    return differs ? `${few} → ${many}` : String(many);
  });
}
