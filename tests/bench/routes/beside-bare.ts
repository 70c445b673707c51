import { join } from "node:path";
import { copyOf, startWorker } from "../copies.ts";
import { cpuWhenIdle, treeCpuMs } from "../idle.ts";
import type { Server } from "../server-process.ts";
import { benchVars, withDatabases } from "../state.ts";
import { type CapturedParams, capture } from "./capture.ts";
import { peopleOf, type Sizes } from "./options.ts";
import { HOT_ROUTES, type HotRoute, hotRequest, type Person } from "./requests.ts";
import { preparePeople } from "./sessions.ts";

/** Concurrent requests. */
const CLIENTS = 4;
/** Requests to one server before it is the other's turn. */
const BLOCK = 24;
/** `me` is repeated, because it changes nothing and is short. */
const REPEATS: Record<HotRoute, number> = { me: 5, refresh: 1 };

/** CPU milliseconds per call of the two Workers. */
export interface Pair {
  ours: number;
  bare: number;
}

interface Contender {
  server: Server;
  /** Captured parameters, for the bare Worker. */
  sent: CapturedParams | undefined;
}

/**
 * Measures routes beside a bare Worker that sends the same statements. Both run at the same time on copies of the same
 * databases, and every request is new.
 *
 * @returns the figures of each turn, and the number of statements of a call, by route.
 * @throws Error if the two did not do the same work.
 */
export async function measureBesideBare(home: string, seeded: string, sizes: Sizes, only: readonly HotRoute[]) {
  const observed = copyOf(seeded, join(home, "observed"));
  const vars = benchVars();
  const people = await withDatabases(observed, (databases) => preparePeople(databases, vars, peopleOf(sizes)));
  const states = ["ours", "bare"].map((name) => copyOf(observed, join(home, name)));
  const [ours = "", bare = ""] = states;
  const observer = await startWorker({
    persist: observed,
    entry: "tests/bench/observed-entry.ts",
    options: ["--still"],
  });
  const { routes, params } = await capture(observer, people, only);
  await observer.stop();
  const contenders: Contender[] = [
    { server: await startWorker({ persist: ours }), sent: undefined },
    {
      server: await startWorker({
        persist: bare,
        entry: "tests/bench/bare-entry.ts",
        vars: { STATEMENTS: JSON.stringify(routes) },
      }),
      sent: params,
    },
  ];
  const found = new Map<HotRoute, Pair[]>();
  try {
    for (const route of HOT_ROUTES.filter((each) => only.includes(each))) {
      found.set(route, await measureRoute(contenders, route, people, sizes));
    }
  } finally {
    await Promise.all(contenders.map(({ server }) => server.stop()));
  }
  const made = await Promise.all(states.map(rotations));
  if (made[0] !== made[1]) throw new Error(`not the same work: ${made.join(" and ")} rotations`);
  return { found, statements: (route: HotRoute) => routes.texts[route].length };
}

/** Number of refreshes that the sessions of a folder have had. */
const rotations = (state: string) =>
  withDatabases(state, ({ primary }) => Number(primary.prepare("select sum(counter) as sum from sessions").get()?.sum));

async function measureRoute(
  contenders: readonly Contender[],
  route: HotRoute,
  people: readonly Person[],
  { turns, people: size, warmUp }: Sizes,
): Promise<Pair[]> {
  await measure(contenders, route, people, 0, warmUp);
  const pairs: Pair[] = [];
  for (let turn = 0; turn < turns; turn++) {
    // Uses the same sessions each time for routes without effect.
    const from = route === "me" ? 0 : warmUp + turn * size;
    const [ours = 0, bare = 0] = await measure(contenders, route, people, from, from + size);
    pairs.push({ ours, bare });
  }
  return pairs;
}

/** Sends the requests of these people to each server in alternating blocks, so that slow moments affect both. */
async function measure(
  contenders: readonly Contender[],
  route: HotRoute,
  people: readonly Person[],
  from: number,
  to: number,
): Promise<number[]> {
  const before = contenders.map(({ server }) => treeCpuMs(server));
  for (let repeat = 0; repeat < REPEATS[route]; repeat++) {
    for (let start = from; start < to; start += BLOCK) {
      for (const contender of contenders) await send(contender, route, people, start, Math.min(start + BLOCK, to));
    }
  }
  const after = await Promise.all(contenders.map(({ server }) => cpuWhenIdle(server)));
  return after.map((cpuMs, i) => (cpuMs - (before[i] ?? 0)) / ((to - from) * REPEATS[route]));
}

/** Sends the requests of these people, a few at a time. */
async function send(
  { server, sent }: Contender,
  route: HotRoute,
  people: readonly Person[],
  from: number,
  to: number,
): Promise<void> {
  let next = from;
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
}
