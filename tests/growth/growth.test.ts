import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { jobs } from "../../src/tasks/engine/job-registry.ts";
import { tasks } from "../../src/tasks/engine/registry.ts";
import { sql } from "../faults/people.ts";
import { type Operation, operationsOf } from "../fuzz/operations.ts";
import { testEnv } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { fetchDocument, type OpenApiDocument } from "../support/openapi.ts";
import { bounds } from "./bounds.ts";
import { type Compared, compare } from "./compare.ts";
import { growCrowd } from "./crowd.ts";
import { measureJobs } from "./due-work.ts";
import type { Measured } from "./measure.ts";
import { outcomesOf } from "./outcomes.ts";
import { measureAll } from "./round.ts";
import { growStage, setStage } from "./stage.ts";
import { tableOf } from "./table.ts";

// `npm run budgets -- --users 100000` measures with 1,000 and with the given number of users, including jobs with work
// due for everybody; `npm test` does the same with sizes that take seconds.
const { BUDGET_USERS, BUDGET_ONLY } = testEnv as unknown as Record<string, string | undefined>;
const [FEW, MANY] = BUDGET_USERS ? [1_000, Number(BUDGET_USERS)] : [100, 1_200];
const LIMIT_MS = 3_600_000;
/** The histories of the acting users are a hundredth of the number of users long. */
const HISTORY_SHARE = 0.01;
const DAY_MS = 86_400_000;
/** Cases between two lines of progress. */
const CASES_PER_LINE = 50;

let document: OpenApiDocument;
let operations: Operation[];
const rounds: Measured[][] = [];
let compared: Compared[] = [];

/** Tells the command how far the measurement is; the console is silenced meanwhile. */
let progress: (step: string, done?: number) => void = () => {};

async function measureAt(from: number, size: number): Promise<Measured[]> {
  progress(`adding ${size - from} users`);
  await growCrowd(from, size, Date.now());
  const stage = await setStage();
  await growStage(stage, from * HISTORY_SHARE, size * HISTORY_SHARE);
  const only = BUDGET_ONLY ? new RegExp(BUDGET_ONLY) : undefined;
  const measured = await measureAll(operations, stage, only, (done) => {
    if (done % CASES_PER_LINE === 0) progress(`cases measured with ${size} users`, done);
  });
  if (BUDGET_USERS) progress(`measuring the jobs with ${size} users`);
  return BUDGET_USERS ? [...measured, ...(await measureJobs())] : measured;
}

beforeAll(async () => {
  stopClock({ timers: true });
  document = await fetchDocument();
  operations = operationsOf(document);
  const { log } = console;
  if (BUDGET_USERS) progress = (step, done) => log(JSON.stringify({ event: "progress", step, done }));
  for (const level of ["debug", "log", "info", "warn", "error"] as const) {
    vi.spyOn(console, level).mockImplementation(() => {});
  }
  for (const [from, size] of [
    [0, FEW],
    [FEW, MANY],
  ] as const) {
    rounds.push(await measureAt(from, size));
    // Daily counters restart.
    vi.setSystemTime(Date.now() + DAY_MS);
  }
  compared = compare(rounds[0] ?? [], rounds[1] ?? []);
  vi.restoreAllMocks();
  const differing = compared.filter(({ bound }) => bound).map(({ name, bound }) => ({ name, reason: bound?.reason }));
  log(JSON.stringify({ event: "budgets", few: FEW, many: MANY, table: tableOf(compared), differing }));
  if (BUDGET_ONLY)
    log(
      compared.map(({ name, outcome, few, many }) => `${name} => ${outcome} ${JSON.stringify([few, many])}`).join("\n"),
    );
}, LIMIT_MS);

afterAll(async () => {
  vi.useRealTimers();
  await sql("delete from users where username_key glob 'crowd-*'");
}, LIMIT_MS);

describe.skipIf(Boolean(BUDGET_ONLY))("cases", () => {
  test("the cases produce every outcome that the document names", () => {
    const seen = [...new Set(compared.map(({ outcome }) => outcome))];
    const isSeen = (outcome: string) => seen.some((each) => each === outcome || each.startsWith(`${outcome} `));
    const documented = outcomesOf(document);
    expect(documented.map(({ outcome }) => outcome).filter((outcome) => !isSeen(outcome))).toEqual([]);
    const codes = documented.flatMap(({ outcome, codes }) => codes.map((code) => `${outcome} ${code}`));
    const unseen = codes.filter((outcome) => !isSeen(outcome));
    console.log(`${codes.length - unseen.length} of ${codes.length} codes are provoked; not: ${unseen.join(", ")}`);
  });

  test("the cases run every message type, and every job with all work due", () => {
    const seen = compared.map(({ name, outcome }) => `${name} ${outcome}`).join("\n");
    const types = tasks.flatMap((task) => task.types).filter((type) => type !== "platform.event" && type !== "job.due");
    const asked = BUDGET_USERS ? jobs.map(({ name }) => `job ${name}`) : [];
    expect([...types, ...asked].filter((each) => !seen.includes(each))).toEqual([]);
  });
});

test(`every case costs the same with ${MANY} users as with ${FEW}, or stays within a justified bound`, () => {
  const faults = compared.flatMap(({ name, faults: found }) => found.map((fault) => `${name}: ${fault}`));
  expect(faults).toEqual([]);
});

test("every bound is necessary and has a reason", () => {
  expect(bounds.filter(({ reason }) => reason.length < 20)).toEqual([]);
});
