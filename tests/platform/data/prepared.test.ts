import { sql } from "drizzle-orm";
import { expect, it } from "vitest";
import { runBatch } from "../../../src/platform/data/database.ts";
import { drizzleOn } from "../../../src/platform/data/drizzle.ts";
import { jsonOf, prepare } from "../../../src/platform/data/prepared.ts";
import { testEnv } from "../../support/client.ts";

const log = { info: () => {}, warn: () => {}, error: () => {} };

/** An invocation at `time` whose ids are numbered. */
function invocation(time: number, invocationId: string) {
  let ids = 0;
  return {
    db: drizzleOn(testEnv.DB),
    now: () => time,
    newId: () => `${invocationId} ${++ids}`,
    invocationId,
    log,
  };
}

it("prepared statements are built once and bound to the values, time, marker and new ids of each use", async () => {
  let builds = 0;
  const read = prepare(["name", "list"], (deps, { name, list }) => {
    builds++;
    const [first, second] = [deps.newId(), deps.newId()];
    return {
      row: deps.db
        .select({
          name: sql<string>`${name}`.as("name"),
          last: sql<string>`(select value from json_each(${jsonOf(list)}) order by key desc limit 1)`.as("last"),
          later: sql<number>`${deps.now()} + 1`.as("later"),
          by: sql<string>`${deps.invocationId}`.as("marker"),
          ids: sql<string>`${first} || ', ' || ${second} || ', ' || ${first}`.as("ids"),
        })
        .from(sql`(select 1)`),
    };
  });
  const [a, b] = [invocation(10, "a"), invocation(20, "b")];
  const [first, second] = [read(a, { name: "x", list: '["p","q"]' }), read(b, { name: "it's", list: '["r"]' })];
  expect(await runBatch(b, second)).toEqual({
    row: [{ name: "it's", last: "r", later: 21, by: "b", ids: "b 1, b 2, b 1" }],
  });
  expect(await runBatch(a, first)).toEqual({
    row: [{ name: "x", last: "q", later: 11, by: "a", ids: "a 1, a 2, a 1" }],
  });
  expect(builds).toBe(1);
});
