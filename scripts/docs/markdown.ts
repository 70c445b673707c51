/** The lines of a Markdown table. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(header), `|${"---|".repeat(header.length)}`, ...rows.map(line)];
}

/** A name as code. */
export const code = (text: string) => `\`${text}\``;

/**
 * The rows of a table, one for each expected name, in that order.
 *
 * @throws Error when a name has no text, or a text no name: the page would be wrong.
 */
export function describeEach<T>(
  what: string,
  names: readonly string[],
  texts: Readonly<Record<string, T>>,
): [string, T][] {
  const unknown = Object.keys(texts).filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`${what}: described, but not in the code: ${unknown.join(", ")}`);
  return names.map((name) => {
    const text = texts[name];
    if (text === undefined) throw new Error(`${what}: not described: ${name}`);
    return [name, text];
  });
}
