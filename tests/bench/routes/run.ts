import { join } from "node:path";
import { showProgress } from "../../../scripts/progress/progress.ts";
import { copyOf, startWorker, temporaryFolder } from "../copies.ts";
import { searchForHang } from "../hang.ts";
import { logout, ourService, signIn, signUp } from "../journey/ours.ts";
import { type Channel, knownPeople, newPeople } from "../journey/people.ts";
import { type Step, type Traveller, travel } from "../journey/service.ts";
import { mean } from "../median.ts";
import { assertNothingIsLeft } from "../settled.ts";
import { stateOf, withDatabases } from "../state.ts";
import { measureBesideBare } from "./beside-bare.ts";
import { type BenchOptions, type Measurable, peopleOf, USERS } from "./options.ts";
import { HOT_ROUTES, type HotRoute } from "./requests.ts";

// The server is workerd and Miniflare.

/** Highest ratio of a route's CPU time to that of the bare Worker. */
const GOALS: Record<HotRoute, number> = { me: 1.2, refresh: 1.3 };
const JOURNEYS: Record<Exclude<Measurable, HotRoute>, { steps: readonly Step[]; channel: Channel }> = {
  "sign-in-sms": { steps: signIn, channel: "sms" },
  "sign-in-email": { steps: signIn, channel: "email" },
  "sign-up-sms": { steps: signUp, channel: "sms" },
  "sign-up-email": { steps: signUp, channel: "email" },
};

/** Measures the routes and journeys, and prints tables; the process ends with 1 if a goal is missed. */
export async function benchRoutes({ only, hang, ...sizes }: BenchOptions): Promise<void> {
  showProgress("measuring");
  const home = temporaryFolder("routes");
  if (hang !== undefined) {
    process.exit((await searchForHang(home, hang)) ? 0 : 1);
  }
  const seeded = await stateOf(USERS);
  console.log(
    `${USERS} users; ${sizes.turns} turns of ${sizes.people} people after ${sizes.warmUp} who are not counted.\n`,
  );

  const hotRoutes = HOT_ROUTES.filter((route) => only.includes(route));
  if (hotRoutes.length > 0) await compareWithBare();
  const journeys = (Object.keys(JOURNEYS) as (keyof typeof JOURNEYS)[]).filter((name) => only.includes(name));
  if (journeys.length > 0) await measureJourneys();

  async function compareWithBare(): Promise<void> {
    const { found, statements } = await measureBesideBare(home, seeded, sizes, hotRoutes);
    console.log("| Route | CPU ms | bare Worker | ratio | goal | statements |\n|---|---|---|---|---|---|");
    for (const [route, pairs] of found) {
      const ours = mean(pairs.map((pair) => pair.ours));
      const bare = mean(pairs.map((pair) => pair.bare));
      const ratio = ours / bare;
      const cells = [route, ours.toFixed(2), bare.toFixed(2), ratio.toFixed(2), `≤ ${GOALS[route]}`, statements(route)];
      console.log(`| ${cells.join(" | ")} |`);
      if (ratio <= GOALS[route]) continue;
      console.error(`${route} costs ${ratio.toFixed(2)} × a bare Worker, more than ${GOALS[route]}`);
      process.exitCode = 1;
    }
  }

  async function measureJourneys(): Promise<void> {
    const persist = copyOf(seeded, join(home, "journeys"));
    const travellers = await withDatabases(persist, (databases) => {
      const count = peopleOf(sizes);
      return new Map<string, Traveller[]>(
        journeys.map((name) => {
          const { steps, channel } = JOURNEYS[name];
          return [name, (steps === signIn ? knownPeople : newPeople)(databases, channel, count)];
        }),
      );
    });
    const service = ourService(await startWorker({ persist }), persist);
    const found = new Map<string, number[][]>(journeys.map((name) => [name, []]));
    try {
      for (let turn = -1; turn < sizes.turns; turn++) {
        for (const name of journeys) {
          const from = turn < 0 ? 0 : sizes.warmUp + turn * sizes.people;
          const people = travellers.get(name)?.slice(from, turn < 0 ? sizes.warmUp : from + sizes.people) ?? [];
          const cpuMs = await travel(service, [...JOURNEYS[name].steps, ...logout], people);
          if (turn >= 0) found.get(name)?.push(cpuMs);
        }
      }
      assertNothingIsLeft(persist);
    } finally {
      await service.server.stop();
    }
    console.log(
      "\n| CPU ms per person | otp/request with delivery | otp/verify | login or register | whole | logout |",
    );
    console.log("|---|---|---|---|---|---|");
    for (const [name, turns] of found) {
      const [request = 0, verify = 0, last = 0, end = 0] = [0, 1, 2, 3].map((i) =>
        mean(turns.map((cpu) => cpu[i] ?? 0)),
      );
      const cells = [request, verify, last, request + verify + last, end].map((each) => each.toFixed(2));
      console.log(`| ${name} | ${cells.join(" | ")} |`);
    }
  }
}
