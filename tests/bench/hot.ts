import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { buildBundle } from "./bundle.ts";
import { cpuSeconds } from "./cpu.ts";
import { type CapturedParams, capture } from "./hot/capture.ts";
import { preparePeople } from "./hot/people.ts";
import { HOT_ROUTES, type HotRoute, hotRequest, type Person } from "./hot/requests.ts";
import { median } from "./median.ts";
import { type Server, startServer, varOptions } from "./server-process.ts";
import { benchVars, stateOf, withDatabases } from "./state.ts";

// `npm run bench`: compares the CPU time of the hot routes with a bare Worker that does the least for the same
// response, as a Markdown table; exits with 1 if a ratio exceeds its goal. Both servers run at the same time and are
// measured in turns after a warm-up; every request is new. --route NAME (me, refresh, login or register; repeatable)
// limits the run to that route.

const { values } = parseArgs({
  options: {
    turns: { type: "string", default: "20" },
    people: { type: "string", default: "5800" },
    route: { type: "string", multiple: true, default: [...HOT_ROUTES] },
  },
});
/** Concurrent requests. */
const CLIENTS = 4;
/** Requests to one server before it is the other's turn. */
const BLOCK = 24;
/** Number of users whose requests warm the engine up and are not counted. */
const WARM_UP = 1_600;
const turns = Number(values.turns);
const peopleCount = Number(values.people);
const measured = HOT_ROUTES.filter((route) => values.route.includes(route));
const isMeasurable =
  Number.isInteger(turns) && turns > 0 && Number.isInteger(peopleCount) && peopleCount >= WARM_UP + turns;
if (!isMeasurable || measured.length < new Set(values.route).size) {
  console.error(
    `--turns takes a whole number, --people one of at least ${WARM_UP} more, --route ${HOT_ROUTES.join(", ")}.`,
  );
  process.exit(2);
}
/** Waits for the work after the responses, which counts too. */
const SETTLED_MS = 400;
/** Maximum ratio of CPU time to that of the bare Worker. */
const GOALS: Record<HotRoute, number> = { me: 1.3, refresh: 1.5, login: 1.5, register: 1.5 };
/** `me` is repeated, because it changes nothing and is short. */
const REPEATS: Record<HotRoute, number> = { me: 5, refresh: 1, login: 1, register: 1 };

const vars = benchVars();
const home = mkdtempSync(join(tmpdir(), "users-api-hot-"));
process.once("exit", () => rmSync(home, { recursive: true, force: true }));
const copies = ["observed", "ours", "bare", "beside"].map((name) => join(home, name));
const [observed = "", ours = "", bare = "", beside = ""] = copies;

/** Starts a server on a copy of the databases. */
function start(persist: string, entry: string, more: Record<string, string> = {}): Promise<Server> {
  const bundle = mkdtempSync(join(home, "bundle-"));
  buildBundle({ entry, outdir: bundle });
  const options = ["--still", "--persist", persist, "--bundle", bundle, "--entry", entry];
  return startServer([...options, ...varOptions({ ...vars, ...more })]);
}

cpSync(join(await stateOf(10_000), "v3"), join(observed, "v3"), { recursive: true });
const people = await withDatabases(observed, (databases) => preparePeople(databases, vars, peopleCount));
for (const copy of [ours, bare, beside]) cpSync(observed, copy, { recursive: true });

const observer = await start(observed, "tests/bench/observed-entry.ts");
const { routes, params } = await capture(observer, people, measured);
await observer.stop();

interface Turn {
  cpuMs: number;
  perSecond: number;
}

interface Contender {
  server: Server;
  /** Additional body of its requests. */
  sent: CapturedParams | undefined;
  routes: readonly HotRoute[];
}

/** Sends the requests of these users, a few at a time, and returns the milliseconds that they took. */
async function send({ server, sent }: Contender, route: HotRoute, from: number, to: number): Promise<number> {
  let next = from;
  const begunAt = performance.now();
  const client = async () => {
    for (let i = next++; i < to; i = next++) {
      const params = sent && route !== "me" ? { params: sent[route][i] } : {};
      const { path, init } = hotRequest(route, people[i] as Person, i, params);
      const response = await fetch(server.url + path, init);
      const body = await response.text();
      if (!response.ok) throw new Error(`${route}: ${response.status} ${body}`);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return performance.now() - begunAt;
}

/**
 * Sends the requests of these users to each server in alternating blocks, so that slowdowns of the machine affect both.
 */
async function measure(contenders: readonly Contender[], route: HotRoute, from: number, to: number): Promise<Turn[]> {
  const before = contenders.map(({ server }) => cpuSeconds(server.pid));
  const tookMs = contenders.map(() => 0);
  for (let repeat = 0; repeat < REPEATS[route]; repeat++) {
    for (let start = from; start < to; start += BLOCK) {
      for (const [i, contender] of contenders.entries()) {
        tookMs[i] = (tookMs[i] ?? 0) + (await send(contender, route, start, Math.min(start + BLOCK, to)));
      }
    }
  }
  await sleep(SETTLED_MS);
  const total = (to - from) * REPEATS[route];
  return contenders.map(({ server }, i) => ({
    cpuMs: ((cpuSeconds(server.pid) - (before[i] ?? 0)) * 1000) / total,
    perSecond: (total / (tookMs[i] ?? 0)) * 1000,
  }));
}

const STATEMENTS = JSON.stringify(routes);
const contenders: Contender[] = [
  { server: await start(ours, "src/index.ts"), sent: undefined, routes: HOT_ROUTES },
  { server: await start(bare, "tests/bench/bare-entry.ts", { STATEMENTS }), sent: params, routes: HOT_ROUTES },
  {
    server: await start(beside, "tests/bench/bare-entry.ts", { STATEMENTS, BESIDE: "1" }),
    sent: params,
    routes: ["refresh"],
  },
];
const results = new Map<HotRoute, Turn[][]>(measured.map((route) => [route, []]));
try {
  const size = Math.floor((peopleCount - WARM_UP) / turns);
  for (const [route, found] of results) {
    const asked = contenders.filter((contender) => contender.routes.includes(route));
    await measure(asked, route, 0, WARM_UP);
    for (let turn = 0; turn < turns; turn++) {
      // Uses the same sessions each time for routes without effect; their activity is already recorded.
      const from = route === "me" ? 0 : WARM_UP + turn * size;
      for (const [i, one] of (await measure(asked, route, from, from + size)).entries()) {
        found[i] = [...(found[i] ?? []), one];
      }
    }
  }
} finally {
  await Promise.all(contenders.map(({ server }) => server.stop()));
}
// Both must have done the same work.
const made = await Promise.all(
  [ours, bare].map((state) =>
    withDatabases(state, ({ primary }) =>
      Object.values(
        primary
          .prepare(
            "select (select count(*) from users), (select count(*) from sessions), (select count(*) from audit_logs)",
          )
          .get() ?? {},
      ).join(),
    ),
  ),
);
if (new Set(made).size > 1) throw new Error(`not the same work: ${made.join(" and ")}`);

const sum = (figures: readonly number[]) => figures.reduce((total, each) => total + each, 0);

/** Ratio over all turns of both, because garbage collections occur only in some turns. */
function ratioOf(own: readonly Turn[], other: readonly Turn[]): number {
  return sum(own.map(({ cpuMs }) => cpuMs)) / sum(other.map(({ cpuMs }) => cpuMs));
}

console.log(
  `| Route | CPU ms: ours · bare · bare that reads KV too | × bare | goal | × bare that reads KV too | requests a second | statements |
|---|---|---|---|---|---|---|`,
);
for (const [route, found] of results) {
  const [own = [], least = [], alike = []] = found;
  const asked = found.filter(({ length }) => length > 0);
  const cpu = asked.map((turnsOf) => sum(turnsOf.map(({ cpuMs }) => cpuMs)) / turns);
  const rates = asked.map((turnsOf) => median(turnsOf.map(({ perSecond }) => perSecond)));
  const ratio = ratioOf(own, least);
  const cells = [
    route,
    cpu.map((each) => each.toFixed(2)).join(" · "),
    ratio.toFixed(2),
    `≤ ${GOALS[route]}`,
    alike.length > 0 ? ratioOf(own, alike).toFixed(2) : "",
    rates.map(Math.round).join(" · "),
    routes.texts[route].length,
  ];
  console.log(`| ${cells.join(" | ")} |`);
  if (ratio <= GOALS[route]) continue;
  console.error(`${route} costs ${ratio.toFixed(2)} × a bare Worker, more than ${GOALS[route]}`);
  process.exitCode = 1;
}
