/** A resource of [env.production], found by a line of its table. */
export interface IdPlace {
  /** Such as `[[env.production.d1_databases]]`. */
  header: string;
  /** A key and value that the table has, which tell it from others of its kind. */
  having: [key: string, value: string];
  /** The key of the id. */
  key: string;
}

/**
 * The text of a wrangler.toml with one id of zeros made a real one, every other byte as it was. wrangler's own writer
 * refuses a TOML file that has comments, and ours is full of them.
 *
 * @throws Error unless exactly one table fits and its id is zeros.
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
    throw new Error(`wrangler.toml: no single ${header} with ${name} = "${value}" and a ${key} of zeros`);
  }
  lines[at] = (lines[at] ?? "").replace(/"[0-]+"/, `"${id}"`);
  return lines.join("\n");
}
