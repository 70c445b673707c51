import type { Journal } from "./journal.ts";
import type { Check } from "./proof.ts";

/** Memory and CPU of the server at one moment. */
export interface Sample {
  /** Since the load began. */
  seconds: number;
  rssBytes: number;
  cpuSeconds: number;
  /** The isolate's heap after a garbage collection. */
  heapBytes: number;
}

const quantile = (sorted: number[], q: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
const round = (value: number, places = 1) => value.toFixed(places);

function table(head: string[], rows: string[][]): string {
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
}

/** Rates and times of each route, for its expected responses. */
export function routeTable({ calls, seconds }: Journal): string {
  const routes = [...Map.groupBy(calls, ({ route }) => route)].sort(([a], [b]) => (a < b ? -1 : 1));
  const row = (name: string, milliseconds: number[]) => {
    const sorted = milliseconds.toSorted((a, b) => a - b);
    const times = [0.5, 0.95, 0.99, 1].map((q) => round(quantile(sorted, q)));
    return [name, String(sorted.length), round(sorted.length / seconds, 2), ...times];
  };
  const isCounted = (route: string) => route !== "a code arrives";
  const all = calls.filter(({ route }) => isCounted(route)).flatMap(({ milliseconds }) => milliseconds);
  return table(
    ["Route", "Calls", "A second", "p50 ms", "p95", "p99", "Longest"],
    [
      ...routes.map(([route, counts]) =>
        row(
          route,
          counts.flatMap(({ milliseconds }) => milliseconds),
        ),
      ),
      row("all", all),
    ],
  );
}

/** All responses that are not a success, by status and code. */
export function failureTable({ calls }: Journal): string {
  const failures = calls.filter(({ status }) => status < 200 || status >= 400);
  const groups = [
    ...Map.groupBy(
      failures,
      ({ status, code, isExpected }) => `${status} ${code}|${isExpected ? "as scripted" : "UNEXPECTED"}`,
    ),
  ];
  return table(
    ["Answer", "", "Calls", "Routes"],
    groups
      .map(([key, group]) => [
        ...key.split("|"),
        String(group.reduce((sum, { milliseconds }) => sum + milliseconds.length, 0)),
        [...new Set(group.map(({ route }) => route))].join(", "),
      ])
      .sort(([a = ""], [b = ""]) => (a < b ? -1 : 1)),
  );
}

/** Memory and CPU of the server, one line per minute. */
export function memoryTable(samples: Sample[]): string {
  const megabytes = (bytes: number, places = 0) => round(bytes / 2 ** 20, places);
  return table(
    ["Seconds", "The Worker's heap, collected, MB", "The process, local D1, KV, R2 and queues with it, MB", "CPU s"],
    samples.map(({ seconds, rssBytes, cpuSeconds, heapBytes }) => [
      round(seconds, 0),
      megabytes(heapBytes, 1),
      megabytes(rssBytes),
      round(cpuSeconds),
    ]),
  );
}

/** The results of the checks. */
export function checkTable(checks: Check[]): string {
  return checks
    .flatMap(({ name, cases, violations }) => [
      `${violations.length === 0 ? "✓" : "✗"} ${name} (${cases})`,
      ...violations.slice(0, 5).map((violation) => `    ${violation}`),
      ...(violations.length > 5 ? [`    … ${violations.length} in all`] : []),
    ])
    .join("\n");
}

/**
 * Whether the collected heap is the same at the end of the second and the last minute; a quarter and 4 MB are
 * tolerated.
 */
export function memoryCheck(samples: Sample[]): Check {
  const name = "the Worker's heap does not grow with the work done";
  const second = samples.find(({ seconds }) => seconds >= 120);
  const last = samples.at(-1);
  if (!second || !last || last.seconds - second.seconds < 50)
    return { name: `${name} (needs 3 minutes)`, cases: 0, violations: [] };
  const isFlat = last.heapBytes <= second.heapBytes * 1.25 + 4 * 2 ** 20;
  return {
    name,
    cases: samples.length,
    violations: isFlat ? [] : [`${second.heapBytes} bytes, then ${last.heapBytes}`],
  };
}
