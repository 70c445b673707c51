import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { runBatch } from "../../../src/platform/data/database.ts";
import { drizzleOn } from "../../../src/platform/data/drizzle.ts";
import { tokenFor } from "../../faults/people.ts";
import { call, newIp, newPhone } from "../../support/client.ts";
import { type CheckedPlan, checkNewPlans, checkPlans } from "../../support/plans/check-plans.ts";
import { sentStatements } from "../../support/plans/sent-statements.ts";

const db = drizzleOn(env.DB);
const searchDb = drizzleOn(env.SEARCH_DB);
const deps = { db, log: console as never };

const faultsOf = (plans: CheckedPlan[]) => plans.flatMap(({ faults }) => faults.map(({ fault }) => fault));

/**
 * Plan errors found for a statement that reads with this SQL. They are checked here, so the check after the file does
 * not report them again.
 */
async function faultsOfSending(text: ReturnType<typeof sql>, on = db): Promise<string[]> {
  await checkNewPlans();
  await runBatch({ ...deps, db: on }, { read: on.select({ one: sql`1` }).from(text) as never });
  return faultsOf(await checkNewPlans());
}

test.each([
  ["a condition without an index", sql`users where last_activity_at < ${1}`, ["reads every row of users"]],
  ["an alias", sql`users as somebody where somebody.last_activity_at < ${1}`, ["reads every row of users"]],
  ["a whole index", sql`users order by username_key`, ["reads every row of users"]],
  [
    "a subquery of a value that is selected",
    sql`json_each(${"[1]"}) where (select count(*) from outbox where type = ${"x"}) > ${0}`,
    ["reads every row of outbox"],
  ],
  [
    "a common table expression",
    sql`(with those as (select * from audit_logs where ip = ${"x"}) select * from those)`,
    ["reads every row of audit_logs"],
  ],
  [
    "a sort of what an index finds",
    sql`sessions where user_id = ${"x"} order by ip`,
    ["collects rows to sort or count them"],
  ],
  [
    "an index made for the statement",
    sql`audit_logs one, audit_logs other where one.ip = other.ip`,
    ["reads every row of audit_logs", "builds an index for this one statement"],
  ],
])("the plan check reports a statement that reads by %s", async (_, text, faults) => {
  expect(await faultsOfSending(text)).toEqual(faults);
});

test("the plan check reports a full read of the search index", async () => {
  expect(await faultsOfSending(sql`user_search`, searchDb)).toEqual(["reads every row of user_search"]);
});

test.each([
  ["one row by its key", sql`users where id = ${"x"}`],
  ["a bound list, sorted", sql`json_each(${"[1]"}) given order by given.key`],
  ["a table of one row", sql`user_counts`],
  ["a page of an index", sql`notifications where user_id = ${"x"} order by id desc limit ${20}`],
])("the plan check accepts a statement that reads %s", async (_, text) => {
  expect(await faultsOfSending(text)).toEqual([]);
});

test("the plan check covers statements of the Worker and not those of tests", async () => {
  const texts = () => sentStatements().map(({ text }) => text);
  const own = "select 'a test' from users where last_activity_at < ?";
  await env.DB.prepare(own).bind(1).all();
  expect(texts()).not.toContain(own);
  const json = { identifier: newPhone(), verification_token: await tokenFor(newPhone()) };
  await call("POST", "/api/auth/register", { ip: newIp(), json });
  expect(texts().filter((text) => text.startsWith('update "otp_challenges"')).length).toBeGreaterThan(0);
});

test("triggers find their rows by key or in a one-row table", async () => {
  const { results } = await env.DB.prepare("select sql from sqlite_master where type = 'trigger'").all<{
    sql: string;
  }>();
  const statements = results.flatMap(({ sql: text }) =>
    text
      .slice(text.search(/\bBEGIN\b/i) + "BEGIN".length, text.search(/\bEND\s*;?\s*$/i))
      .split(";")
      .map((each) => each.trim())
      .filter(Boolean),
  );
  expect(statements.length).toBeGreaterThan(0);
  const bound = statements.map((text) => {
    const params: null[] = [];
    const replaced = text.replaceAll(/\b(?:new|old)\.\w+/gi, () => {
      params.push(null);
      return "?";
    });
    return { database: env.DB, text: replaced, params };
  });
  expect(faultsOf(await checkPlans(bound))).toEqual([]);
});
