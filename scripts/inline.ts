/** Text as a SQL literal. */
export const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** A statement with its parameters written in; the statement itself must not contain a question mark. */
export function inline({ sql, params }: { sql: string; params: unknown[] }): string {
  const [first = "", ...parts] = sql.split("?");
  if (parts.length !== params.length) throw new Error("a question mark that is no parameter");
  return parts.reduce((text, part, i) => text + literal(params[i]) + part, first);
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value === "string") return quote(value);
  throw new Error(`no literal for a ${typeof value}`);
}
