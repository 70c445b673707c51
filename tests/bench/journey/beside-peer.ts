import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { showProgress } from "../../../scripts/progress/progress.ts";
import { copyOf, startWorker, temporaryFolder } from "../copies.ts";
import type { D1Counts } from "../counted-d1.ts";
import { cpuWhenIdle } from "../idle.ts";
import { databaseWith, reader } from "../load/databases.ts";
import { mean } from "../median.ts";
import { peopleOf, type Sizes, USERS } from "../routes/options.ts";
import { stateOf, withDatabases } from "../state.ts";
import * as betterAuth from "./better-auth.ts";
import * as ours from "./ours.ts";
import { knownPeople, newPeople } from "./people.ts";
import { type Service, type Step, type Traveller, travel } from "./service.ts";

// A sign-in is request, delivery, verification and session. The services are measured in turns on
// one machine, and both send mail by a row in one table of the same form.

/** Highest ratio of this service's CPU time to that of Better Auth. */
const GOALS = { "sign-in": 0.75, "sign-up": 0.75, logout: 0.6 } as const;
type Journey = keyof typeof GOALS;
const JOURNEYS = Object.keys(GOALS) as Journey[];
const CONTENDERS = ["ours", "peer"] as const;
type Contender = (typeof CONTENDERS)[number];

const STEPS: Record<Contender, Record<Journey, readonly Step[]>> = {
  ours: { "sign-in": ours.signIn, "sign-up": ours.signUp, logout: ours.logout },
  peer: { "sign-in": betterAuth.signIn, "sign-up": betterAuth.signIn, logout: betterAuth.logout },
};
/** People whose rows are counted. */
const COUNTED: Sizes = { turns: 1, people: 10, warmUp: 10 };

/** People whose round trips are counted, the first of them to warm up. */
const TRIPS_PEOPLE = 4;

const peerFolder = join(import.meta.dirname, "..", "peer");

/** A service with people who sign in and people who sign up; the same people log out after each turn's sign-in. */
interface Arena {
  service: Service;
  people: Record<"sign-in" | "sign-up", Traveller[]>;
}

type Figures = Record<Contender, Record<Journey, number[][]>>;
const noFigures = (): Record<Journey, number[][]> => ({ "sign-in": [], "sign-up": [], logout: [] });

/** Runs a turn of all journeys of a service; the people who have signed in log out. */
async function turn({ service, people }: Arena, steps: Record<Journey, readonly Step[]>, from: number, to: number) {
  const signIn = await travel(service, steps["sign-in"], people["sign-in"].slice(from, to));
  const logout = await travel(service, steps.logout, people["sign-in"].slice(from, to));
  const signUp = await travel(service, steps["sign-up"], people["sign-up"].slice(from, to));
  return { "sign-in": signIn, "sign-up": signUp, logout };
}

/** The different numbers of round trips of each call of Better Auth before its response, of one person at a time. */
async function tripsOf({ service, people }: Arena): Promise<Map<string, number[]>> {
  const found = new Map<string, Set<number>>();
  /** Whether the Worker has done what it does once; the first person is not counted. */
  let isWarm = false;
  const counting = (kind: string, steps: readonly Step[]) =>
    steps.map((step): Step => {
      const name = `${step.name}, ${kind} user`;
      return {
        ...step,
        keep(person, data, response) {
          if (isWarm) found.set(name, (found.get(name) ?? new Set()).add(Number(response.headers.get("d1-trips"))));
          step.keep?.(person, data, response);
        },
      };
    });
  for (let nth = 0; nth < TRIPS_PEOPLE; nth++) {
    for (const [kind, name] of [
      ["known", "sign-in"],
      ["new", "sign-up"],
    ] as const) {
      const steps = [...betterAuth.signIn, ...betterAuth.session, ...betterAuth.logout];
      await travel(service, counting(kind, steps), people[name].slice(nth, nth + 1));
    }
    isWarm = true;
  }
  return new Map([...found].map(([name, trips]) => [name, [...trips].sort((a, b) => a - b)]));
}

/** The version of Better Auth. */
const peerVersion = (): string =>
  JSON.parse(execFileSync("npm", ["ls", "--json"], { cwd: peerFolder, encoding: "utf8" })).dependencies["better-auth"]
    .version;

/** Counts what D1 reports for one person's journey. */
async function countRows(contender: Contender, { service, people }: Arena): Promise<Record<Journey, D1Counts>> {
  const counts = async () => (await (await fetch(`${service.server.url}/bench/counts`)).json()) as D1Counts;
  const steps = STEPS[contender];
  await turn({ service, people }, steps, 0, COUNTED.warmUp);
  const to = peopleOf(COUNTED);
  const counted = {} as Record<Journey, D1Counts>;
  for (const [journey, kind] of [
    ["sign-in", "sign-in"],
    ["logout", "sign-in"],
    ["sign-up", "sign-up"],
  ] as const) {
    const before = await counts();
    await travel(service, steps[journey], people[kind].slice(COUNTED.warmUp, to));
    const after = await counts();
    const each = (name: keyof D1Counts) => (after[name] - before[name]) / COUNTED.people;
    counted[journey] = { trips: each("trips"), rowsRead: each("rowsRead"), rowsWritten: each("rowsWritten") };
  }
  await service.server.stop();
  return counted;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

/** Compares this service with Better Auth, and prints tables; the process ends with 1 if a goal is missed. */
export async function compareWithPeer(sizes: Sizes & { trips: boolean }): Promise<void> {
  const onProgress = showProgress("installing the compared packages");
  const install = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"];
  execFileSync("npm", install, { cwd: peerFolder, stdio: ["ignore", "ignore", "inherit"] });
  onProgress("measuring");
  const home = temporaryFolder("peer");
  const seeded = await stateOf(sizes.trips ? 100 : USERS);

  async function startOurs(name: string, count: number, entry?: string): Promise<Arena> {
    const persist = copyOf(seeded, join(home, name));
    const people = await withDatabases(persist, (databases) => ({
      "sign-in": knownPeople(databases, "email", count),
      "sign-up": newPeople(databases, "email", count),
    }));
    return { service: ours.ourService(await startWorker({ persist, ...(entry ? { entry } : {}) }), persist), people };
  }

  async function startPeer(name: string, count: number, vars: Record<string, string> = {}): Promise<Arena> {
    const persist = join(home, name);
    const worker = { entry: "tests/bench/peer/worker.js", config: "tests/bench/peer/wrangler.toml" };
    const server = await startWorker({ persist, ...worker, vars });
    const outbox = reader(databaseWith(seeded, "d1", "local_outbox"))(
      "select sql from sqlite_master where tbl_name = 'local_outbox' and sql is not null order by type desc",
    );
    const body = JSON.stringify({ outbox: outbox.map(({ sql }) => sql), users: USERS });
    const prepared = await fetch(`${server.url}/bench/prepare`, { method: "POST", body });
    if (!prepared.ok) throw new Error(`the compared Worker is not ready: ${await prepared.text()}`);
    await cpuWhenIdle(server);
    const of = (kind: string) =>
      Array.from({ length: count }, (_, i) => ({
        identifier: `${kind}${i}@example.com`,
        ip: `10.${Math.floor(i / 250)}.${i % 250}.7`,
      }));
    return {
      service: { server, codes: ours.codeReader(persist) },
      people: { "sign-in": of("user"), "sign-up": of("new-") },
    };
  }

  if (sizes.trips) {
    const calls = await startPeer("trips", TRIPS_PEOPLE, { COUNT: "1" });
    console.log(`Better Auth ${peerVersion()}\n\n| Call | D1 round trips before the response |\n|---|---|`);
    for (const [name, trips] of await tripsOf(calls)) console.log(`| ${name} | ${trips.join(", ")} |`);
    await calls.service.server.stop();
    process.exit(0);
  }

  const rows = {
    ours: await countRows("ours", await startOurs("counted", peopleOf(COUNTED), "tests/bench/counted-entry.ts")),
    peer: await countRows("peer", await startPeer("counted-peer", peopleOf(COUNTED), { COUNT: "1" })),
  };
  const figures: Figures = { ours: noFigures(), peer: noFigures() };
  const arenas = { ours: await startOurs("ours", peopleOf(sizes)), peer: await startPeer("peer", peopleOf(sizes)) };
  try {
    for (let i = -1; i < sizes.turns; i++) {
      const from = i < 0 ? 0 : sizes.warmUp + i * sizes.people;
      const to = i < 0 ? sizes.warmUp : from + sizes.people;
      for (const contender of CONTENDERS) {
        const cpuMs = await turn(arenas[contender], STEPS[contender], from, to);
        if (i >= 0) for (const journey of JOURNEYS) figures[contender][journey].push(cpuMs[journey]);
      }
    }
  } finally {
    await Promise.all(Object.values(arenas).map(({ service }) => service.server.stop()));
  }

  console.log(
    `Better Auth ${peerVersion()}; ${USERS} users; ${sizes.turns} turns of ${sizes.people} people after ${sizes.warmUp} who are not counted.\n`,
  );
  console.log(
    "| By e-mail | CPU ms | Better Auth | ratio | goal | rows written | Better Auth | rows read | Better Auth | D1 trips | Better Auth |",
  );
  console.log("|---|---|---|---|---|---|---|---|---|---|---|");
  for (const journey of JOURNEYS) {
    const [own, other] = CONTENDERS.map((contender) => mean(figures[contender][journey].map(sum))) as [number, number];
    const ratio = own / other;
    const pair = (name: keyof D1Counts) => CONTENDERS.map((contender) => rows[contender][journey][name].toFixed(1));
    const cells = [journey, own.toFixed(2), other.toFixed(2), ratio.toFixed(2), `≤ ${GOALS[journey]}`];
    console.log(`| ${[...cells, ...pair("rowsWritten"), ...pair("rowsRead"), ...pair("trips")].join(" | ")} |`);
    if (ratio <= GOALS[journey]) continue;
    console.error(`${journey} costs ${ratio.toFixed(2)} × Better Auth, more than ${GOALS[journey]}`);
    process.exitCode = 1;
  }
  console.log("\n| Step | CPU ms |\n|---|---|");
  for (const contender of CONTENDERS) {
    for (const journey of JOURNEYS) {
      for (const [i, step] of STEPS[contender][journey].entries()) {
        const cpuMs = mean(figures[contender][journey].map((turnOf) => turnOf[i] ?? 0));
        console.log(`| ${contender}, ${journey}: ${step.name} | ${cpuMs.toFixed(2)} |`);
      }
    }
  }
}
