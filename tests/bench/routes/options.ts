import { parseArgs } from "node:util";

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

const SIZES = {
  turns: { type: "string", default: "10" },
  people: { type: "string", default: "150" },
  "warm-up": { type: "string", default: "1000" },
} as const;

/** Reads the command line of `npm run bench`. @throws Error with a sentence for its user. */
export function benchOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: { ...SIZES, only: { type: "string", multiple: true, default: [] }, hang: { type: "string" } },
  });
  const unknown = values.only.filter((name) => !MEASURABLE.some((each) => each === name));
  if (unknown.length > 0) throw new Error(`--only takes ${MEASURABLE.join(", ")}, not ${unknown.join(", ")}.`);
  const only = MEASURABLE.filter((name) => values.only.length === 0 || values.only.includes(name));
  const hang = values.hang === undefined ? undefined : wholeNumber("hang", values.hang, 1);
  return { ...sizesOf(values), only, hang };
}

/** Reads the command line of `npm run bench:peer`. @throws Error with a sentence for its user. */
export function peerOptions(args: readonly string[]): Sizes {
  return sizesOf(parseArgs({ args: [...args], options: SIZES }).values);
}

function sizesOf(values: { turns: string; people: string; "warm-up": string }): Sizes {
  const sizes = {
    turns: wholeNumber("turns", values.turns, 1),
    people: wholeNumber("people", values.people, 1),
    warmUp: wholeNumber("warm-up", values["warm-up"], 1),
  };
  if (peopleOf(sizes) <= MAX_PEOPLE) return sizes;
  throw new Error(`--warm-up and --turns times --people together must not exceed ${MAX_PEOPLE}.`);
}

function wholeNumber(name: string, text: string, least: number): number {
  const number = Number(text);
  if (text !== "" && Number.isInteger(number) && number >= least) return number;
  throw new Error(`--${name} takes a whole number of at least ${least}, not "${text}".`);
}

/** Number of people of a whole run. */
export const peopleOf = ({ turns, people, warmUp }: Sizes) => warmUp + turns * people;

/** The options, or an end of the process with 2 and the reason. */
export function optionsOrExit<T>(read: (args: readonly string[]) => T): T {
  try {
    return read(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}
