import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { jobs } from "../../src/tasks/engine/job-registry.ts";
import { testEnv } from "../support/client.ts";
import { findMiscounts, findSealedCodes } from "../support/invariants.ts";
import { findSearchDrift } from "../support/search-invariants.ts";
import { callSites } from "../support/simulator/call-sites.ts";
import { seededRandom } from "../support/simulator/random.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { newReport } from "./attempt.ts";
import { runFlow } from "./battery.ts";
import { allFlows } from "./flows/all.ts";
import { sql } from "./people.ts";
import { advance } from "./settle.ts";
import { sampleOf, type Trial } from "./trials.ts";

// `npm run faults` runs every trial; `npm test` every trial of the flows that have few, and a sample of the others'.
const { FAULTS_WHOLE, FAULTS_ONLY } = testEnv as unknown as Record<string, string | undefined>;
const MANY = 17;
const DAY_MS = 86_400_000;

const flows = allFlows.filter(({ name }) => !FAULTS_ONLY || new RegExp(FAULTS_ONLY).test(name));
const report = newReport();
const startedAt = performance.now();

/** Each flow goes on where the one before it ended: what was due in an hour is due once. */
let now = Date.now();
/**
 * Daily jobs run in flows of their own alone: by the clock they would find the people of another flow, in the middle of it,
 * at some hours of the day; and the nightly comparison of the search would mend what a flow has lost.
 */
const daily = JSON.stringify(jobs.filter(({ everyMs }) => everyMs === DAY_MS).map(({ name }) => name));
beforeAll(async () => {
  const days = Array.from({ length: 62 }, (_, nth) => (Math.floor(now / DAY_MS) + nth - 2) * DAY_MS);
  await sql(
    `insert or ignore into job_runs
      select job.value, day.value, null, 0, 0, 0, null, ? from json_each(?) job, json_each(?) day`,
    now,
    daily,
    JSON.stringify(days),
  );
});
/** Other tests have days and nights, and nobody of the crowd. */
afterAll(async () => {
  await sql(
    "delete from job_runs where name in (select value from json_each(?)) and chunks = 0 and finished_at is not null",
    daily,
  );
  await testEnv.SEARCH_DB.prepare("delete from search_entries where user_id glob '0-crowd-*'").run();
});
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now });
});
afterEach(() => {
  now = Date.now();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Thousands of lines about faults that are meant. */
const beQuiet = () => {
  for (const level of ["debug", "log", "info", "warn", "error"] as const) {
    vi.spyOn(console, level).mockImplementation(() => {});
  }
};

describe("every binding call of every flow, failing in every way", () => {
  it.each(flows.map((flow) => [flow.name, flow] as const))(
    "%s comes out as without a fault",
    async (name, flow) => {
      beQuiet();
      const random = seededRandom(name.length);
      const isWhole = (trials: Trial[]) => FAULTS_WHOLE || (trials.length <= MANY && !flow.isAlone);
      const choose = (trials: Trial[]) => (isWhole(trials) ? trials : sampleOf(trials, random));
      expect(await runFlow(flow, choose, report)).toEqual([]);
    },
    1_200_000,
  );
});

describe("after all of them", () => {
  it("the search has everybody as they are, once it was compared with the primary", async () => {
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
    expect(report.users.size).toBeGreaterThan(FAULTS_ONLY ? 0 : 500);
  });

  it("the counters of users are exact, and no sealed code rests beyond its time", async () => {
    expect(await findMiscounts()).toEqual([]);
    expect(await findSealedCodes(Date.now())).toEqual([]);
  });

  it.skipIf(Boolean(FAULTS_ONLY))("every call site of a binding in the source has met a fault", () => {
    const unmet = callSites.filter((site) => !report.sites.has(site));
    expect({ strays: [...report.strays], unmet }).toEqual({ strays: [], unmet: [] });
  });

  it("tells what was done", () => {
    const { flows: ran, calls, trials, faults, sites, users } = report;
    const met = {
      flows: ran,
      calls,
      trials,
      faults,
      users: users.size,
      call_sites: `${sites.size}/${callSites.length}`,
    };
    console.log(
      JSON.stringify({ event: "faults", ...met, seconds: Math.round((performance.now() - startedAt) / 1000) }),
    );
    expect(faults).toBeGreaterThan(0);
  });
});
