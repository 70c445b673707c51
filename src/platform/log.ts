/** Fields of one log line: ids, counts and reasons, never a token, a code or an identifier in plain text. */
export type LogFields = Record<string, string | number | boolean | null | undefined>;

/** Writes log lines: the name of an event, with fields. */
export interface Log {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** Creates a log that writes one JSON object per line, each with `fields`. */
export function jsonLog(now: () => number, fields: LogFields): Log {
  const write =
    (level: "info" | "warn" | "error") =>
    (event: string, own: LogFields = {}) =>
      console[level](JSON.stringify({ time: new Date(now()).toISOString(), level, event, ...fields, ...own }));
  return { info: write("info"), warn: write("warn"), error: write("error") };
}

/** Returns a log that adds `fields` to each line. */
export function logWith(log: Log, fields: LogFields): Log {
  return {
    info: (event, own) => log.info(event, { ...fields, ...own }),
    warn: (event, own) => log.warn(event, { ...fields, ...own }),
    error: (event, own) => log.error(event, { ...fields, ...own }),
  };
}

/** The error's name, without its message. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "not an Error";
}

/** Describes an error for the log: name and message, without the values that a database driver may quote. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return "not an Error";
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  // Drizzle appends the bound parameters to the statement.
  const [message = ""] = error.message.split("\nparams:");
  return `${error.name}: ${message.slice(0, 300)}${cause.slice(0, 300)}`;
}

/** At most ten stack frames of an error, without its message; undefined if it has none. */
export function traceOf(error: unknown): string | undefined {
  const stack = error instanceof Error ? error.stack : undefined;
  const frames = stack?.split("\n").filter((line) => /^\s+at /.test(line));
  return frames
    ?.map((frame) => frame.trim())
    .slice(0, 10)
    .join("\n");
}
