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

// `npm run bench`: what the hot routes cost beside a bare Worker that does the least for the same answer, as a Markdown table;
// ends with 1 where a ratio is beyond its goal. Both run at once, asked in turns; every request is one that was not made before.
// --route NAME (of me, refresh, login, register; may be repeated) measures that one alone.

const { values } = parseArgs({
  options: {
    turns: { type: "string", default: "20" },
    people: { type: "string", default: "3600" },
    route: { type: "string", multiple: true, default: [...HOT_ROUTES] },
  },
});
const turns = Number(values.turns);
const peopleCount = Number(values.people);
const measured = HOT_ROUTES.filter((route) => values.route.includes(route));
/** Requests that are on their way at once. */
const CLIENTS = 4;
/** What a route does after its answers is over by then, and counts. */
const SETTLED_MS = 400;
/** CPU of ours over that of the bare Worker, at most. */
const GOALS: Record<HotRoute, number> = { me: 1.3, refresh: 1.5, login: 1.5, register: 1.5 };
/** Repeats `me`, which changes nothing, since it is over so soon. */
const REPEATS: Record<HotRoute, number> = { me: 5, refresh: 1, login: 1, register: 1 };

const vars = benchVars();
const home = mkdtempSync(join(tmpdir(), "users-api-hot-"));
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

/** Sends the requests of these people, a few at a time, and says what each cost the server. */
async function measure(
  server: Server,
  route: HotRoute,
  from: number,
  count: number,
  sent?: CapturedParams,
): Promise<Turn> {
  const queue = Array.from({ length: count * REPEATS[route] }, (_, i) => from + (i % count));
  const total = queue.length;
  const [cpuBefore, begunAt] = [cpuSeconds(server.pid), performance.now()];
  const client = async () => {
    for (let i = queue.pop(); i !== undefined; i = queue.pop()) {
      const params = sent && route !== "me" ? { params: sent[route][i] } : {};
      const { path, init } = hotRequest(route, people[i] as Person, i, params);
      const response = await fetch(server.url + path, init);
      const body = await response.text();
      if (!response.ok) throw new Error(`${route}: ${response.status} ${body}`);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const seconds = (performance.now() - begunAt) / 1000;
  await sleep(SETTLED_MS);
  return { cpuMs: ((cpuSeconds(server.pid) - cpuBefore) * 1000) / total, perSecond: total / seconds };
}

const STATEMENTS = JSON.stringify(routes);
const servers = [
  { server: await start(ours, "src/index.ts"), sent: undefined, routes: HOT_ROUTES },
  { server: await start(bare, "tests/bench/bare-entry.ts", { STATEMENTS }), sent: params, routes: HOT_ROUTES },
  {
    server: await start(beside, "tests/bench/bare-entry.ts", { STATEMENTS, BESIDE: "1" }),
    sent: params,
    routes: ["refresh"],
  },
];
const results = new Map<HotRoute, Turn[][]>(measured.map((route) => [route, [[], [], []]]));
try {
  const size = Math.floor(peopleCount / (turns + 1));
  // Turn 0 warms up.
  for (let turn = 0; turn <= turns; turn++) {
    for (const [route, found] of results) {
      for (const [i, { server, sent, routes: asked }] of servers.entries()) {
        if (!asked.includes(route)) continue;
        // The same sessions each time, where nothing changes: their activity is reported in the first turn alone.
        const one = await measure(server, route, route === "me" ? 0 : turn * size, size, sent);
        if (turn > 0) found[i]?.push(one);
      }
    }
  }
} finally {
  await Promise.all(servers.map(({ server }) => server.stop()));
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
rmSync(home, { recursive: true });

/** Of each turn, in which one came right after the other: what slows the machine slows both. */
function ratioOf(own: readonly Turn[], other: readonly Turn[]): number {
  return median(own.flatMap(({ cpuMs }, i) => (other[i] ? [cpuMs / other[i].cpuMs] : [])));
}

console.log(
  `| Route | CPU ms: ours · bare · bare that reads KV too | × bare | goal | × bare that reads KV too | requests a second | statements |
|---|---|---|---|---|---|---|`,
);
for (const [route, found] of results) {
  const [own = [], least = [], alike = []] = found;
  const asked = found.filter(({ length }) => length > 0);
  const cpu = asked.map((turnsOf) => median(turnsOf.map(({ cpuMs }) => cpuMs)));
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
