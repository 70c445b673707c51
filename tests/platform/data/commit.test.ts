import { and, eq, sql } from "drizzle-orm";
import { describe, expect, expectTypeOf, it, vi } from "vitest";
import { processedEvents } from "../../../src/db/platform-schema.ts";
import { commit } from "../../../src/platform/data/commit.ts";
import { type DistinctNames, insertWhere, mergeStatements } from "../../../src/platform/data/database.ts";
import { drizzleOn } from "../../../src/platform/data/drizzle.ts";
import { compile, type Statements } from "../../../src/platform/data/prepared.ts";
import { testEnv } from "../../support/client.ts";

type RunBatch = D1Database["batch"];

/** The test database; `decide` runs each batch or replaces it, by its number from 1. */
function databaseOf(decide: (run: () => ReturnType<RunBatch>, number: number) => Promise<unknown>) {
  let batches = 0;
  const DB = new Proxy(testEnv.DB, {
    get: (db, name) =>
      name === "batch"
        ? (statements: D1PreparedStatement[]) => decide(() => db.batch(statements), ++batches)
        : Reflect.get(db, name).bind(db),
  });
  const log = { info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  return { deps: { db: drizzleOn(DB), log }, batches: () => batches };
}

/** A change that marks an event as processed by `invocationId`, unless it is marked already. */
function mark({ db }: Parameters<typeof commit>[0], eventId: string, invocationId: string, processedAt = sql`1`) {
  const row = { consumer: "commit-test", eventId, processedBy: invocationId, processedAt };
  const isEvent = and(eq(processedEvents.consumer, "commit-test"), eq(processedEvents.eventId, eventId));
  return {
    writes: {
      marked: insertWhere({ db }, processedEvents, row, sql`true`)
        .onConflictDoNothing()
        .returning({ by: processedEvents.processedBy }),
    },
    reads: { found: db.select({ by: processedEvents.processedBy }).from(processedEvents).where(isEvent) },
    isCommitted: ({ found }: { found: { by: string }[] }) => found[0]?.by === invocationId,
  };
}

const storedMarks = async (eventId: string) => {
  const statement = testEnv.DB.prepare("select processed_by as 'by' from processed_events where event_id = ?");
  return (await statement.bind(eventId).all()).results;
};
const lose = async (run: () => Promise<unknown>) => {
  await run();
  throw new Error("the first answer was lost");
};

describe("commit", () => {
  it("returns the results of writes and reads after one batch if the answer arrives", async () => {
    const { deps, batches } = databaseOf((run) => run());
    expect(await commit(deps, mark(deps, crypto.randomUUID(), "a"))).toEqual({
      marked: [{ by: "a" }],
      found: [{ by: "a" }],
    });
    expect(batches()).toBe(1);
  });

  it("returns only the results of the reads if the answer was lost and the reads show the marker", async () => {
    const { deps, batches } = databaseOf((run, number) => (number === 1 ? lose(run) : run()));
    const eventId = crypto.randomUUID();
    expect(await commit(deps, mark(deps, eventId, "a"))).toEqual({ found: [{ by: "a" }] });
    expect(batches()).toBe(2);
    expect(await storedMarks(eventId)).toEqual([{ by: "a" }]);
  });

  it("fails with the error of the batch when nothing was written", async () => {
    const { deps, batches } = databaseOf((run, number) =>
      number === 1 ? Promise.reject(new Error("refused")) : run(),
    );
    const eventId = crypto.randomUUID();
    await expect(commit(deps, mark(deps, eventId, "a"))).rejects.toMatchObject({
      code: "service_unavailable",
      cause: { message: "refused" },
    });
    expect(batches()).toBe(2);
    expect(await storedMarks(eventId)).toEqual([]);
  });

  it("does not mistake another invocation's marker for its own", async () => {
    const eventId = crypto.randomUUID();
    const intact = databaseOf((run) => run());
    await commit(intact.deps, mark(intact.deps, eventId, "first"));
    const { deps } = databaseOf((run, number) => (number === 1 ? lose(run) : run()));
    await expect(commit(deps, mark(deps, eventId, "second"))).rejects.toMatchObject({ code: "service_unavailable" });
    expect(await storedMarks(eventId)).toEqual([{ by: "first" }]);
  });

  it("fails with the error of the batch when the second reading fails too, and reads no third time", async () => {
    const { deps, batches } = databaseOf((run, number) =>
      number === 1 ? lose(run) : Promise.reject(new Error("the second answer was lost")),
    );
    const eventId = crypto.randomUUID();
    await expect(commit(deps, mark(deps, eventId, "a"))).rejects.toMatchObject({
      code: "service_unavailable",
      cause: { message: "the first answer was lost" },
    });
    expect(batches()).toBe(2);
    expect(await storedMarks(eventId)).toEqual([{ by: "a" }]);
  });

  it("does not read again if the database refused the batch because of the daily limit of writes", async () => {
    const { deps, batches } = databaseOf((run) => run());
    const eventId = crypto.randomUUID();
    const overLimit = sql`json_extract('{}', 'audited_writes_wait_5000')`;
    await expect(commit(deps, mark(deps, eventId, "a", overLimit))).rejects.toMatchObject({
      code: "rate_limit_exceeded",
    });
    expect(batches()).toBe(1);
    expect(await storedMarks(eventId)).toEqual([]);
  });

  it("refuses a read with the name of a write", async () => {
    const { deps, batches } = databaseOf((run) => run());
    const { writes, isCommitted } = mark(deps, crypto.randomUUID(), "a");
    const reads: Record<string, (typeof writes)["marked"]> = writes;
    await expect(commit(deps, { writes, reads, isCommitted: () => isCommitted({ found: [] }) })).rejects.toThrow(
      "two statements are named marked",
    );
    expect(batches()).toBe(0);
  });
});

describe("mergeStatements", () => {
  const db = drizzleOn(testEnv.DB);
  const read = (name: string) => db.select({ name: sql<string>`${name}`.as("name") }).from(sql`(select 1)`);
  type Read = ReturnType<typeof read>;

  it("keeps the order of the lists and of their statements, and leaves out absent ones", () => {
    const absent = undefined as { c: Read } | undefined;
    const merged = mergeStatements({ b: read("b"), z: read("z") }, absent, { a: read("a"), y: undefined }, {});
    expect(compile(merged).queries.map(({ name, params }) => [name, ...params])).toEqual([
      ["b", "b"],
      ["z", "z"],
      ["a", "a"],
    ]);
  });

  it("refuses two statements with the same name, at compile time if the names are known", () => {
    const first: Statements = { a: read("a") };
    expect(() => mergeStatements(first, { b: read("b") }, { a: read("another") })).toThrow(
      "two statements are named a",
    );
    type Refused = { twoStatementsAreNamed: "a" };
    expectTypeOf<DistinctNames<{ a: Read; b: Read }, { a: Read }>>().toEqualTypeOf<Refused>();
    expectTypeOf<DistinctNames<{ a: Read }, { a: Read } | { b: Read }>>().toEqualTypeOf<Refused>();
    expectTypeOf<DistinctNames<{ a: Read }, { b: Read } | undefined>>().toBeUnknown();
    type Both = Parameters<typeof mergeStatements<[{ a: Read }, { b: Read }, { a: Read }]>>[0];
    expectTypeOf<{ a: Read }>().not.toExtend<Both>();
    type Distinct = Parameters<typeof mergeStatements<[{ a: Read }, { b: Read }, { c: Read }]>>[0];
    expectTypeOf<{ a: Read }>().toExtend<Distinct>();
  });

  it("refuses a name that is a number, since an object would move it to the front", () => {
    expect(() => compile({ b: read("b"), 1: read("1") })).toThrow("a statement is named 1");
  });
});
