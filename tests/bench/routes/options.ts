import {
  count,
  flag,
  type Option,
  parseArguments,
  readArguments,
  texts,
  UsageError,
} from "../../../scripts/arguments.ts";

/** What `npm run bench` can measure alone: routes beside the bare Worker, and journeys. */
export const MEASURABLE = ["me", "refresh", "sign-in-sms", "sign-in-email", "sign-up-sms", "sign-up-email"] as const;
export type Measurable = (typeof MEASURABLE)[number];

export interface Sizes {
  turns: number;
  /** People per turn. */
  people: number;
  /** People before the first turn, who are not counted: until the engine has compiled, a call costs more. */
  warmUp: number;
}

export interface BenchOptions extends Sizes {
  only: Measurable[];
  /** Number of fresh starts of the search for a server that stops answering; undefined for a benchmark. */
  hang: number | undefined;
}

/** Users in the databases. */
export const USERS = 10_000;
/** Users among them who can sign in by e-mail, rounded down. Each signs in once in a run. */
const MAX_PEOPLE = 2_700;

const sizeOptions = {
  turns: count("N", "turns", { default: 10 }),
  people: count("N", "people of a turn", { default: 150 }),
  "warm-up": count("N", "people before the first turn, who are not counted", { default: 1_000 }),
};

/** What `npm run bench` takes. */
export const benchCommand = {
  name: "bench",
  about:
    "Measures the CPU time of every route of sign-in and sign-up, of the whole server and with all work that follows the response, and compares `me` and `refresh` with a bare Worker. Prints Markdown tables; exits with 1 if a goal is missed.",
  options: {
    ...sizeOptions,
    only: texts("NAME", `only this part: ${MEASURABLE.join(", ")}`),
    hang: count(
      "N",
      "instead start a server N times and flood it with otp/requests, to see whether it stops answering",
    ),
  },
};

/** What `npm run bench:peer` takes. */
export const peerCommand = {
  name: "bench:peer",
  about:
    "Compares a sign-in by e-mail, a sign-up and a logout with Better Auth and its emailOTP plugin on D1: CPU time of the whole server with all work that follows, and the rows that D1 reports. Prints Markdown tables; exits with 1 if a goal is missed.",
  options: {
    ...sizeOptions,
    trips: flag("only count the round trips to D1 of each call of Better Auth before its response"),
  },
};

/** Reads the command line of `npm run bench`. @throws UsageError */
export function benchOptions(args: readonly string[]): BenchOptions {
  const { options } = parseArguments(benchCommand, args);
  const unknown = options.only.filter((name) => !MEASURABLE.some((each) => each === name));
  if (unknown.length > 0) throw new UsageError(`--only takes ${MEASURABLE.join(", ")}, not ${unknown.join(", ")}.`);
  const only = MEASURABLE.filter((name) => options.only.length === 0 || options.only.includes(name));
  return { ...sizesOf(options), only, hang: options.hang };
}

/** Reads the command line of `npm run bench:peer`. @throws UsageError */
export function peerOptions(args: readonly string[]): Sizes & { trips: boolean } {
  const { options } = parseArguments(peerCommand, args);
  return { ...sizesOf(options), trips: options.trips };
}

function sizesOf({ turns, people, "warm-up": warmUp }: { turns: number; people: number; "warm-up": number }): Sizes {
  const sizes = { turns, people, warmUp };
  if (peopleOf(sizes) <= MAX_PEOPLE) return sizes;
  throw new UsageError(`--warm-up and --turns times --people together must not exceed ${MAX_PEOPLE}.`);
}

/** Number of people of a whole run. */
export const peopleOf = ({ turns, people, warmUp }: Sizes) => warmUp + turns * people;

/** The options, or the end of the process: with 0 after `--help`, with 2 after any mistake. */
export function optionsOrExit<T>(
  command: typeof benchCommand | typeof peerCommand,
  read: (args: readonly string[]) => T,
): T {
  const args = process.argv.slice(2);
  const { refuse } = readArguments<Record<string, Option<unknown>>>(command, args);
  try {
    return read(args);
  } catch (error) {
    if (error instanceof UsageError) return refuse(error.message);
    throw error;
  }
}
