import { styleText } from "node:util";

/** A line of the Worker's log, as the Worker writes it. */
export type LogLine = { time: string; level: string; event: string } & Record<string, unknown>;

/** How the log is shown. */
export interface LogStyle {
  /** Shows the Worker's lines as they are, one JSON object each. */
  isJson: boolean;
  /** Colors errors and warnings. */
  isColored: boolean;
  /** Shows the bindings. */
  showsBindings: boolean;
}

/** Fields that have a place of their own in the line. */
const PLACED = ["time", "level", "event", "method", "path", "status", "duration_ms", "code", "fields", "user_id"];
/** Fields that say little on a developer's machine; LOG=json shows them. */
const LEFT_OUT = ["request_id", "ip", "target_id", "session_id", "role"];

/** A line of the Worker's log; wrangler marks those of console.error and console.warn. */
const WRITTEN = /^(?:[✘▲] \[(?:ERROR|WARNING)\] )?(\{.*\})$/;

/** The line of the Worker's log, or undefined if the text is something else. */
export function parseLogLine(text: string): LogLine | undefined {
  const [, json] = WRITTEN.exec(text) ?? [];
  if (json === undefined) return undefined;
  try {
    const line = JSON.parse(json) as Partial<LogLine>;
    return typeof line.event === "string" && typeof line.time === "string" ? (line as LogLine) : undefined;
  } catch {
    return undefined;
  }
}

/** One line for a person: `10:04:28 PUT /api/users/profile 400 validation_error 12 ms full_name=too_short user=0192…`. */
export function describeLogLine(line: LogLine, { isColored }: Pick<LogStyle, "isColored">): string {
  const { time, level, event, method, path, status, code, duration_ms, fields, user_id } = line;
  const others = Object.entries(line).filter(([name]) => !PLACED.includes(name) && !LEFT_OUT.includes(name));
  const parts = [
    time.slice(11, 19),
    ...(event === "request" ? [method, path, status, code, `${duration_ms} ms`, fields] : [level, event, code]),
    ...[["user", user_id] as const, ...others].map(([name, value]) => (isPresent(value) ? `${name}=${value}` : null)),
  ];
  const text = parts.filter(isPresent).join(" ");
  const color =
    level === "error" || Number(status) >= 500
      ? "red"
      : level === "warn" || Number(status) >= 400
        ? "yellow"
        : undefined;
  return color && isColored ? styleText(color, text, { validateStream: false }) : text;
}

/** The outbox page asks for new messages every two seconds. */
const isOfOutbox = ({ event, path, status }: LogLine) =>
  event === "request" && path === "/dev/outbox" && Number(status) < 400;

const isPresent = (value: unknown) => value !== undefined && value !== null;

/** What wrangler prints and a developer does not need: its steps, its own line for each request, advice about crons. */
const NOISE = [
  /^\s*$/,
  /^⎔ /,
  /^\[wrangler:info\] /,
  /^\[custom build\] Running:/,
  /^Using (secrets|vars) defined in /,
  /Your types might be out of date/,
  /^Service bindings, Durable Object bindings, and Tail consumers connect/,
  /Scheduled Workers are not automatically triggered/,
  /^\s*To manually trigger a scheduled event, run:/,
  /^\s*curl "http:\/\/[^"]*\/cdn-cgi\/(local|handler)\/scheduled/,
  /^\s*For more details, see .*test-cron-triggers-locally/,
  /Logs were written to /,
  // Lines around the error of a Worker that throws at startup; the error itself is printed before them.
  /^✘ \[ERROR\] The Workers runtime failed to start\./,
  /^\s*Runtime stderr:/,
  /^\s*\{"timestamp":/,
  /^If you think this is a bug then please create an issue/,
  /there is a newer version of Wrangler available/,
];

const BUILD_ERROR = /^✘ \[ERROR\] \w+ \[Error\]: Process exited with non-zero status/;

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is removed.
const ESCAPES = /\u001b\[[0-9;?]*[A-Za-z]|\u001b\]8;;[^\u0007\u001b]*(?:\u0007|\u001b\\)/g;

/**
 * Returns a function that takes what a wrangler process prints, and passes on what a developer wants to read: a line for
 * each line of the Worker's log, the bindings once and without variables (secrets are among them), no escape sequences,
 * and no line twice in a row.
 */
export function createRelay(
  style: LogStyle,
  { write, onLogged }: { write: (line: string) => void; onLogged: (line: LogLine) => void },
): (chunk: string) => void {
  let rest = "";
  let last = "";
  /** Tables of bindings so far; wrangler prints one at each reload. */
  let tables = 0;
  let isInTable = false;
  let isInBuildError = false;
  /** Whether esbuild prints the state of its threads, as it does when wrangler is gone. */
  let isCrash = false;

  function pass(text: string): void {
    const line = text.replaceAll(ESCAPES, "").trimEnd();
    isCrash ||= line.startsWith("fatal error: all goroutines are asleep");
    if (isCrash) return;
    const logged = parseLogLine(line);
    if (logged) {
      last = "";
      if (style.isJson) write(JSON.stringify(logged));
      else if (!isOfOutbox(logged)) write(describeLogLine(logged, style));
      onLogged(logged);
    } else if (!isOfTable(line) && !isOfBuildError(line) && line !== last && !NOISE.some((each) => each.test(line))) {
      last = line;
      write(line);
    }
  }

  /** Whether the line belongs to a table of bindings; writes those of the first one. */
  function isOfTable(line: string): boolean {
    if (line.startsWith("Your Worker has access to the following bindings:")) {
      isInTable = true;
      tables++;
      return true;
    }
    // A value may have several lines; an empty one ends the table.
    isInTable &&= line !== "";
    const [, binding, kind] = (isInTable && /^env\.(\S+(?: \(.*\))?) {2,}(\S.*?) {2,}\S/.exec(line)) || [];
    if (binding && style.showsBindings && tables === 1 && kind !== "Environment Variable")
      write(`  ${binding}: ${kind}`);
    return isInTable;
  }

  /** Whether the line belongs to the error object that wrangler prints after the messages of a failed build. */
  function isOfBuildError(line: string): boolean {
    isInBuildError = BUILD_ERROR.test(line) || (isInBuildError && /^(\s|$)/.test(line));
    return isInBuildError;
  }

  return (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) pass(line);
  };
}
