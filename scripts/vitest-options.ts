import { count, text, texts } from "./arguments.ts";

/** Options of the commands that run vitest. */
export const vitestOptions = {
  options: {
    testNamePattern: { ...text("NAME", "only tests whose name contains this"), short: "t" },
    reporter: texts("NAME", "how to report"),
    "outputFile.json": text("FILE", "file of the reporter json"),
    testTimeout: count("MS", "longest time of a test, in milliseconds"),
  },
  notes: ["Arguments after another -- are passed to vitest as they are: -- -- --inspect"],
};

/** What vitest gets: its options, and the files that it is limited to. */
export function vitestArguments(
  given: Readonly<Record<string, string | number | string[] | undefined>>,
  operands: readonly string[],
): { options: string[]; filters: string[] } {
  const own = Object.entries(given).flatMap(([name, value]) => [value ?? []].flat().map((each) => `--${name}=${each}`));
  return {
    options: [...own, ...operands.filter((each) => each.startsWith("-"))],
    filters: operands.filter((each) => !each.startsWith("-")),
  };
}
