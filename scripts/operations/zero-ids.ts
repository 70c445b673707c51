/** Where the id of a resource is in wrangler.toml. */
export interface IdPlace {
  /** For example `[[env.production.d1_databases]]`. */
  header: string;
  /** A key and value that distinguish the table from others with the same header. */
  having: [key: string, value: string];
  /** The key of the id. */
  key: string;
}

/**
 * Replaces one placeholder id in the text of a wrangler.toml and leaves every other byte unchanged. wrangler's own
 * writer does not support TOML files with comments.
 *
 * @throws Error unless exactly one table matches and its id is a placeholder.
 */
export function replaceZeroId(toml: string, { header, having: [name, value], key }: IdPlace, id: string): string {
  const lines = toml.split("\n");
  const places = lines.flatMap((line, start) => {
    if (line.trim() !== header) return [];
    const length = lines.slice(start + 1).findIndex((each) => each.trimStart().startsWith("["));
    const end = length < 0 ? lines.length : start + 1 + length;
    const body = lines.slice(start, end);
    if (!body.some((each) => each.trim() === `${name} = "${value}"`)) return [];
    const at = body.findIndex((each) => new RegExp(`^\\s*${key} = "[0-]+"`).test(each));
    return at < 0 ? [] : [start + at];
  });
  const [at] = places;
  if (at === undefined || places.length > 1) {
    throw new Error(`wrangler.toml must have exactly one ${header} with ${name} = "${value}" and a placeholder ${key}`);
  }
  lines[at] = (lines[at] ?? "").replace(/"[0-]+"/, `"${id}"`);
  return lines.join("\n");
}
