import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { seededRandom } from "../support/simulator/random.ts";
import { problemsOf } from "./check-person.ts";
import { Directory } from "./directory.ts";
import { movedTables, stayingTables } from "./moved-tables.ts";
import { Mover, type Step, steps } from "./mover.ts";
import { Person, type Service } from "./person.ts";
import { prepareFences, Router } from "./router.ts";

// Two homes and a directory, as docs/adr/0022-growing-past-one-database.md describes them. The Worker is the real one;
// only the router, the mover and the directory are models.

const given = env as unknown as Record<"HOME_1" | "HOME_2" | "DIRECTORY", D1Database> & {
  MIGRATIONS: D1Migration[];
  HOMES_USERS: string;
};
const homes = { first: given.HOME_1, second: given.HOME_2 };
const directory = new Directory(given.DIRECTORY);
const USERS = Number(given.HOMES_USERS);
/** Number of people who act at the same time. */
const ACTIVE = 8;
/** Number of users that move at the same time. */
const MOVING = 4;

beforeAll(async () => {
  for (const home of Object.values(homes)) {
    await applyD1Migrations(home, given.MIGRATIONS);
    await prepareFences(home);
  }
  await directory.prepare();
});

const newService = (seed: number): Service => ({
  router: new Router(directory, homes, "first"),
  directory,
  homes: Object.values(homes),
  random: seededRandom(seed),
});

/** Runs the work for each item, `limit` at a time. */
async function eachOf<T>(items: readonly T[], limit: number, work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  await Promise.all(
    Array.from({ length: limit }, async () => {
      for (const item of waiting) await work(item);
    }),
  );
}

async function registerPeople(service: Service, count: number): Promise<Person[]> {
  const people = Array.from({ length: count }, () => new Person(service));
  await eachOf(people, ACTIVE, (person) => person.register());
  return people;
}

/** Starts one act of the person; `attempted` resolves when it is done or has to wait. */
function beginAct(act: (onWait: () => void) => Promise<void>): { attempted: Promise<void>; done: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = act(resolve);
  return { attempted: Promise.race([promise, done]), done };
}

const countUsers = async (db: D1Database): Promise<number> => {
  const statement = "select sum(value) as n from user_counts, json_each(by_status_bucket)";
  return (await db.prepare(statement).first<{ n: number }>())?.n ?? 0;
};
const countAllUsers = async () => (await Promise.all(Object.values(homes).map(countUsers))).reduce((a, b) => a + b);

async function findProblems(service: Service, people: readonly Person[]): Promise<string[]> {
  const problems: string[] = [];
  await eachOf(people, ACTIVE, async (person) => {
    await person.refreshAll();
    problems.push(...(await problemsOf(service, person)));
  });
  return problems;
}

test("every table moves with its user or has a reason to stay", async () => {
  const { results } = await homes.first
    .prepare(
      `select name from pragma_table_list where schema = 'main' and type = 'table' and name not like 'sqlite@_%' escape '@'
        and name not like '@_cf@_%' escape '@' and name not in ('d1_migrations', 'home_fences')`,
    )
    .all<{ name: string }>();
  const listed = [...movedTables.map(({ name }) => name), ...Object.keys(stayingTables)];
  expect(listed.toSorted()).toEqual(results.map(({ name }) => name).toSorted());
});

test("a table is copied after the tables that its foreign keys name", async () => {
  const order = movedTables.map(({ name }) => name);
  for (const { name } of movedTables) {
    const { results } = await homes.first
      .prepare(`select "table" as parent from pragma_foreign_key_list('${name}')`)
      .all<{ parent: string }>();
    for (const { parent } of results) expect(order.indexOf(parent), name).toBeLessThan(order.indexOf(name));
  }
});

test(`${USERS} users move while they use the service, and nothing is lost or done twice`, {
  timeout: 3_600_000,
}, async () => {
  const service = newService(1);
  const mover = new Mover(directory, service.router);
  const people = await registerPeople(service, USERS);
  const before = await countAllUsers();
  let isMoving = true;
  let acts = 0;
  const load = Array.from({ length: ACTIVE }, async () => {
    while (isMoving) {
      await people[Math.floor(service.random() * people.length)]?.act();
      acts += 1;
    }
  });
  const begun: Promise<void>[] = [];
  const moveWhileActing = (person: Person, target: string) =>
    mover.move(person.userId, target, async () => {
      const { attempted, done } = beginAct((onWait) => person.act(onWait));
      begun.push(done);
      await attempted;
    });
  await eachOf(people, MOVING, (person) => moveWhileActing(person, "second"));
  // Some move back to where their fences are.
  await eachOf(people.slice(0, Math.ceil(USERS / 4)), MOVING, (person) => moveWhileActing(person, "first"));
  isMoving = false;
  await Promise.all([...load, ...begun]);
  expect(await findProblems(service, people)).toEqual([]);
  expect(await countAllUsers()).toBe(before);
  expect(service.router.refusals).toBeGreaterThan(0);
  const late = people.reduce((sum, { lateCodes }) => sum + lateCodes, 0);
  const figures = { users: USERS, acts: acts + begun.length, refusals: service.router.refusals, late_codes: late };
  console.log(JSON.stringify({ event: "homes", ...figures }));
});

test.for(steps)("a mover that dies after the step %s is continued", async (last: Step) => {
  const service = newService(steps.indexOf(last));
  const mover = new Mover(directory, service.router);
  const [person] = await registerPeople(service, 1);
  if (!person) throw new Error("nobody registered");
  await person.changeAddress();
  const before = await countAllUsers();
  const begun: Promise<void>[] = [];
  const actOnce = async () => {
    const { attempted, done } = beginAct((onWait) => person.changeAddress(onWait));
    begun.push(done, person.earnPoints());
    await attempted;
  };
  const died = mover.move(person.userId, "second", async (step) => {
    if (step === last) throw new Error("died");
  });
  await expect(died).rejects.toThrow("died");
  await actOnce();
  await mover.resume(person.userId, async (step) => (step === "flip" ? actOnce() : undefined));
  await Promise.all(begun);
  expect(await findProblems(service, [person])).toEqual([]);
  expect(await countAllUsers()).toBe(before);
  expect(await directory.find({ user: person.userId })).toMatchObject({ home: "second", state: "settled" });
});

test("a mover that flips the directory before it fences the old home loses a confirmed change", async () => {
  const service = newService(1);
  const [person] = await registerPeople(service, 1);
  if (!person) throw new Error("nobody registered");
  await person.changeAddress();
  const begun: Promise<void>[] = [];
  await new Mover(directory, service.router, true).move(person.userId, "second", async (step) => {
    if (step !== "copy") return;
    const { attempted, done } = beginAct((onWait) => person.changeAddress(onWait));
    begun.push(done);
    await attempted;
  });
  await Promise.all(begun);
  expect(await problemsOf(service, person)).toContain(`${person.phone}: lost the change to House 2`);
});
