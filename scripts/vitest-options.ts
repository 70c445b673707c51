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

type GivenOptions = Readonly<Record<string, string | number | string[] | undefined>>;

const asArguments = (given: GivenOptions) =>
  Object.entries(given).flatMap(([name, value]) => [value ?? []].flat().map((each) => `--${name}=${each}`));

/** What vitest gets: its options, and the files that it is limited to. */
export function vitestArguments(
  given: GivenOptions,
  operands: readonly string[],
): { options: string[]; filters: string[] } {
  return {
    options: [...asArguments(given), ...operands.filter((each) => each.startsWith("-"))],
    filters: operands.filter((each) => !each.startsWith("-")),
  };
}

/** Arguments with which another command that has these options gets the same ones; operands may be vitest's options. */
export const passedOn = (given: GivenOptions, operands: readonly string[]): string[] => [
  ...asArguments(given),
  ...(operands.length > 0 ? ["--", ...operands] : []),
];
