/** How JSON is split into lines: enough that a diff shows what has changed, few enough that the file stays small. */
interface Shape {
  /** Number of levels that have a line for each member. */
  levels: number;
  /** Whether the elements of arrays have lines too. */
  spreadsLists?: boolean;
  /** Whether the lines begin at the margin. */
  isFlat?: boolean;
}

/** JSON in lines of this shape. */
export function inLines(value: unknown, shape: Shape, depth = 0): string {
  const isList = Array.isArray(value);
  const isBranch = typeof value === "object" && value !== null && (!isList || shape.spreadsLists);
  if (!isBranch || depth >= shape.levels) return JSON.stringify(value);
  const pad = shape.isFlat ? "" : "  ".repeat(depth);
  const members = Object.entries(value).map(([key, member]) => {
    const text = inLines(member, shape, depth + 1);
    return `${pad}${shape.isFlat ? "" : "  "}${isList ? text : `${JSON.stringify(key)}: ${text}`}`;
  });
  const [open, close] = isList ? "[]" : "{}";
  return `${open}\n${members.join(",\n")}\n${pad}${close}`;
}
