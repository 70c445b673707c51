import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { jobs } from "../../src/tasks/engine/job-registry.ts";
import { testEnv } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { findMiscounts, findSealedCodes } from "../support/invariants.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { findSearchDrift } from "../support/search-invariants.ts";
import { callSites } from "../support/simulator/call-sites.ts";
import { seededRandom } from "../support/simulator/random.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { newReport } from "./attempt.ts";
import { runFlow } from "./battery.ts";
import { allFlows } from "./flows/all.ts";
import { sql } from "./people.ts";
import { advance } from "./settle.ts";
import { sampleOf, spread, type Trial } from "./trials.ts";

// `npm run faults` runs every trial. `npm test` runs all trials of a flow with at most FEW, and a sample of the others;
// of flows that run alone, always a sample of at most MAX_ALONE.
const { FAULTS_WHOLE, FAULTS_ONLY } = testEnv as unknown as Record<string, string | undefined>;
const FEW = 8;
const MAX_ALONE = 16;
const DAY_MS = 86_400_000;

const flows = allFlows.filter(({ name }) => name.includes(FAULTS_ONLY ?? ""));
if (flows.length === 0) throw new Error(`no flow is named ${FAULTS_ONLY}`);
const report = newReport();
const startedAt = performance.now();

/** Each flow continues at the time at which the previous one ended, so that hourly jobs are due once. */
let now = Date.now();
/**
 * Daily jobs run only in their own flows. Otherwise, at some hours of the day, they would process the users of another
 * flow while it runs, and the nightly search check would repair what a flow has lost.
 */
const daily = JSON.stringify(
  jobs.filter(({ everyMs }) => everyMs === DAY_MS).map(({ name, offsetMs = 0 }) => ({ name, offsetMs })),
);
beforeAll(async () => {
  await keepSentEvents();
  // From the day before yesterday for two months, which is longer than all flows take.
  const days = Array.from({ length: 62 }, (_, nth) => (Math.floor(now / DAY_MS) + nth - 2) * DAY_MS);
  await sql(
    `insert or ignore into job_runs
      select job.value ->> 'name', day.value + (job.value ->> 'offsetMs'), null, 0, 0, 0, null, ?
        from json_each(?) job, json_each(?) day`,
    now,
    daily,
    JSON.stringify(days),
  );
});
beforeEach(() => {
  stopClock({ at: now, timers: true });
});
afterEach(() => {
  now = Date.now();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Suppresses thousands of log lines about injected faults. */
const beQuiet = () => {
  for (const level of ["debug", "log", "info", "warn", "error"] as const) {
    vi.spyOn(console, level).mockImplementation(() => {});
  }
};

describe("every flow with every fault at every binding call", () => {
  it.each(flows.map((flow) => [flow.name, flow] as const))(
    "%s has the same outcome as without a fault",
    async (name, flow) => {
      beQuiet();
      const random = seededRandom(name.length);
      const isWhole = (trials: Trial[]) => FAULTS_WHOLE || (trials.length <= FEW && !flow.isAlone);
      const sample = (trials: Trial[]) =>
        flow.isAlone ? spread(sampleOf(trials, random), MAX_ALONE) : sampleOf(trials, random);
      const choose = (trials: Trial[]) => (isWhole(trials) ? trials : sample(trials));
      expect(await runFlow(flow, choose, report)).toEqual([]);
    },
    3_600_000,
  );
});

describe("after all flows", () => {
  it("the search matches the primary after the nightly check", async () => {
    beQuiet();
    advance(11 * 60_000);
    await sql("insert into job_runs values ('check_user_search', -1, null, 0, 0, 0, null, null)");
    const isOpen = async () =>
      (await sql("select 1 from job_runs where period_started_at = -1 and finished_at is null")).length > 0;
    const simulation = new Simulation(1, undefined, true);
    for (let tick = 0; tick < 3 && (await isOpen()); tick++) {
      await simulation.tick();
      await simulation.deliver();
      advance(61_000);
    }
    expect(await isOpen()).toBe(false);
    expect(await findSearchDrift([...report.users])).toEqual([]);
    if (!FAULTS_ONLY) expect(report.users.size).toBeGreaterThan(500);
  });

  it("user counters are exact, and no sealed code outlives its expiry", async () => {
    beQuiet();
    await new Simulation(1, undefined, true).tick();
    expect(await findMiscounts()).toEqual([]);
    expect(await findSealedCodes(Date.now())).toEqual([]);
  });

  it.skipIf(Boolean(FAULTS_ONLY))("every binding call site in the source was tested with a fault", () => {
    const untested = callSites.filter((site) => !report.sites.has(site));
    expect({ strays: [...report.strays], untested }).toEqual({ strays: [], untested: [] });
  });

  it("logs its totals", () => {
    const { flows: ran, calls, trials, faults, sites, users } = report;
    const totals = {
      flows: ran,
      calls,
      trials,
      faults,
      users: users.size,
      call_sites: `${sites.size}/${callSites.length}`,
    };
    console.log(
      JSON.stringify({ event: "faults", ...totals, seconds: Math.round((performance.now() - startedAt) / 1000) }),
    );
    expect(faults).toBeGreaterThan(0);
  });
});
