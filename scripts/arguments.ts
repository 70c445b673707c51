import { parseArgs } from "node:util";

/** An option of a command. */
export interface Option<T> {
  /** What it does; ends without a full stop. */
  help: string;
  /** Placeholder of its value in the usage, such as COUNT; a flag has none. */
  value?: string;
  short?: string;
  /** Converts the texts that were given, none or several, to its value. @throws Malformed if they are invalid. */
  read(given: readonly string[]): T;
}

/** Invalid arguments of a command; the message says what is wrong with them. */
export class UsageError extends Error {}

/** An invalid value of an option; the message continues "--name …". */
class Malformed extends Error {}

type Options = Readonly<Record<string, Option<unknown>>>;
type ValueOf<O> = O extends Option<infer T> ? T : never;

/** What `--help` says and which arguments are accepted. */
export interface Command<O extends Options> {
  /** Name in package.json: `npm run NAME`. */
  name: string;
  /** What it does, in a sentence. */
  about: string;
  /** Usage of the positional arguments, such as `DIR`; absent if the command takes none. */
  operands?: string;
  /** Maximum number of operands; unlimited if absent. */
  most?: number;
  options?: O;
  /** Further lines of the usage. */
  notes?: readonly string[];
}

/** The arguments of a command. */
export interface Given<O extends Options> {
  options: { [Name in keyof O]: ValueOf<O[Name]> };
  operands: string[];
  /** Ends the process with 2, after this message and the usage. */
  refuse(message: string): never;
}

/** A flag: true if it is given. */
export const flag = (help: string): Option<boolean> => ({ help, read: (given) => given.length > 0 });

interface Defaulted<T> {
  default: T;
}

/** Any text that is not empty. */
export function text(value: string, help: string): Option<string | undefined>;
export function text(value: string, help: string, about: Defaulted<string>): Option<string>;
export function text(value: string, help: string, about?: Defaulted<string>): Option<string | undefined> {
  return { help: withDefault(help, about), value, read: (given) => last(given) ?? about?.default };
}

/** Any number of texts. */
export const texts = (value: string, help: string): Option<string[]> => ({
  help: `${help}; repeatable`,
  value,
  read: (given) => given.map((each) => last([each]) ?? ""),
});

/** A whole number within bounds; at least 1 unless `min` says otherwise. */
interface Bounds {
  min?: number;
  max?: number;
}
export function count(value: string, help: string, about?: Bounds): Option<number | undefined>;
export function count(value: string, help: string, about: Bounds & Defaulted<number>): Option<number>;
export function count(value: string, help: string, about: Bounds & Partial<Defaulted<number>> = {}) {
  const { min = 1, max = Number.MAX_SAFE_INTEGER } = about;
  const range = about.max === undefined ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`;
  return numberOption(value, help, about, range, (n) => Number.isSafeInteger(n) && n >= min && n <= max);
}

/** A number above 0, such as a time. */
export function positive(value: string, help: string): Option<number | undefined>;
export function positive(value: string, help: string, about: Defaulted<number>): Option<number>;
export function positive(value: string, help: string, about: Partial<Defaulted<number>> = {}) {
  return numberOption(value, help, about, "a number above 0", (n) => Number.isFinite(n) && n > 0);
}

/** A number of at least 0. */
export function number(value: string, help: string, about: Defaulted<number>): Option<number> {
  const option = numberOption(value, help, about, "a number of at least 0", Number.isFinite);
  return { ...option, read: (given) => option.read(given) ?? about.default };
}

/** An address; `what` completes "URL …". */
export const url = (what: string) =>
  parsed("URL", `URL ${what}`, "a URL", (given) => (URL.canParse(given) ? given : undefined));

function numberOption(
  value: string,
  help: string,
  about: Partial<Defaulted<number>>,
  range: string,
  isInRange: (number: number) => boolean,
): Option<number | undefined> {
  return {
    help: about.default === undefined ? help : withDefault(help, { default: String(about.default) }),
    value,
    read(given) {
      const found = last(given);
      if (found === undefined) return about.default;
      if (/^\d+(\.\d+)?$/.test(found) && isInRange(Number(found))) return Number(found);
      throw new Malformed(`takes ${range}, not "${found}"`);
    },
  };
}

/** A value that `parse` understands: it returns undefined for any other. `form` describes it. */
export const parsed = <T>(value: string, help: string, form: string, parse: (text: string) => T | undefined) => ({
  help,
  value,
  read(given: readonly string[]): T | undefined {
    const found = last(given);
    const result = found === undefined ? undefined : parse(found);
    if (found !== undefined && result === undefined) throw new Malformed(`takes ${form}, not "${found}"`);
    return result;
  },
});

/** One of these words. */
export function choice<const W extends readonly string[]>(
  value: string,
  help: string,
  words: W,
): Option<W[number] | undefined>;
export function choice<const W extends readonly string[]>(
  value: string,
  help: string,
  words: W,
  about: Defaulted<W[number]>,
): Option<W[number]>;
export function choice(value: string, help: string, words: readonly string[], about?: Defaulted<string>) {
  const find = (found: string) => words.find((word) => word === found);
  const form = words.join(" or ");
  const { read } = parsed(value, help, form, find);
  const described = withDefault(`${help}: ${form}`, about);
  return { help: described, value, read: (given: readonly string[]) => read(given) ?? about?.default };
}

const withDefault = (help: string, about: Defaulted<string> | undefined) =>
  about && about.default !== "" ? `${help} (default: ${about.default})` : help;

function last(given: readonly string[]): string | undefined {
  const found = given.at(-1);
  if (found?.trim() === "") throw new Malformed("takes a value");
  return found;
}

/** The text that `--help` prints. */
export function usageOf({ name, about, operands, options = {}, notes = [] }: Command<Options>): string {
  const rows = Object.entries({ ...options, help: { ...flag("show this text"), short: "h" } }).map(
    ([option, { value, short, help }]): [string, string] => [
      `${short ? `-${short}, ` : ""}--${option}${value ? ` ${value}` : ""}`,
      help,
    ],
  );
  const width = Math.max(...rows.map(([left]) => left.length));
  const synopsis = [operands, "[options]"].filter(Boolean).join(" ");
  const start = name === "test" ? "npm test" : `npm run ${name}`;
  return [
    `Usage: ${start} -- ${synopsis}`,
    "",
    about,
    "",
    ...rows.map(([left, help]) => `  ${left.padEnd(width)}  ${help}`),
    ...(notes.length > 0 ? ["", ...notes] : []),
  ].join("\n");
}

/**
 * Reads the command line. `--help` prints the usage and ends the process with 0; an unknown option, a missing or
 * malformed value and an unexpected operand end it with 2, after a message and the usage.
 */
export function readArguments<const O extends Options = Record<never, never>>(
  command: Command<O>,
  args: readonly string[] = process.argv.slice(2),
): Given<O> {
  const usage = usageOf(command);
  const refuse = (message: string): never => {
    console.error(`${message}\n\n${usage}`);
    process.exit(2);
  };
  if (asksForHelp(args)) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return { ...parseArguments(command, args), refuse };
  } catch (error) {
    if (error instanceof UsageError) return refuse(error.message);
    throw error;
  }
}

/** Whether `--help` or `-h` precedes a lone `--`, after which all arguments are for another program. */
export function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? undefined : end).some((each) => each === "--help" || each === "-h");
}

/** Reads the arguments of a command. @throws UsageError */
export function parseArguments<const O extends Options>(
  command: Command<O>,
  args: readonly string[],
): Omit<Given<O>, "refuse"> {
  const declared = Object.entries(command.options ?? {}).map(([name, { value, short }]) => [
    name,
    { type: value ? "string" : "boolean", multiple: true, ...(short ? { short } : {}) },
  ]);
  const { values, positionals } = parse(args, Object.fromEntries(declared));
  const most = command.operands ? (command.most ?? Number.POSITIVE_INFINITY) : 0;
  const surplus = positionals[most];
  if (surplus !== undefined) throw new UsageError(`Unexpected argument: ${surplus}`);
  const options = Object.entries(command.options ?? {}).map(([name, option]) => {
    try {
      return [name, option.read((values[name] ?? []).map(String))];
    } catch (error) {
      throw error instanceof Malformed ? new UsageError(`--${name} ${error.message}.`) : error;
    }
  });
  return { options: Object.fromEntries(options), operands: positionals };
}

interface Parsed {
  values: Record<string, (string | boolean)[] | undefined>;
  positionals: string[];
}

function parse(args: readonly string[], options: object): Parsed {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: options as never }) as Parsed;
  } catch (error) {
    const isRefusal = error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
    // Node adds advice about operands to some of its messages.
    throw isRefusal ? new UsageError(error.message.split(". To specify")[0]) : error;
  }
}
