import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { newEmail } from "../support/client.ts";
import { act, alone, changeAddress, earnPoints } from "./acts.ts";
import { ACTIVE, beginAct, comeBack, eachOf, findProblems, registerPeople } from "./crowd.ts";
import { Directory } from "./directory.ts";
import { prepareFences } from "./fences.ts";
import { changeNumber, deleteAccount, putIdentifier, undo } from "./identity-acts.ts";
import { movedTables, stayingTables } from "./moved-tables.ts";
import { naivePlans, type Plan, type Step, steps } from "./mover.ts";
import type { Person } from "./person.ts";
import { takeTurns, type Way } from "./router.ts";
import { Service } from "./service.ts";

// Two homes and a directory, as docs/adr/0022-growing-past-one-database.md describes them. The Worker is the real one;
// only the router, the mover and the directory are models.

const given = env as unknown as Record<"HOME_1" | "HOME_2" | "DIRECTORY", D1Database> & {
  MIGRATIONS: D1Migration[];
  HOMES_USERS: string;
};
const homes = { first: given.HOME_1, second: given.HOME_2 };
const directory = new Directory(given.DIRECTORY);
const USERS = Number(given.HOMES_USERS);
/** Number of users that move at the same time. */
const MOVING = 8;
/** Probability that a mover dies after a step. */
const DEATHS = 0.05;

beforeAll(async () => {
  for (const home of Object.values(homes)) {
    await applyD1Migrations(home, given.MIGRATIONS);
    await prepareFences(home);
  }
  await directory.prepare();
});

const newService = (seed: number, plan?: Plan) => new Service({ homes, directory }, seed, plan);

const countUsers = async (db: D1Database): Promise<number> => {
  const statement = "select sum(value) as n from user_counts, json_each(by_status_bucket)";
  return (await db.prepare(statement).first<{ n: number }>())?.n ?? 0;
};
const countAllUsers = async () => (await Promise.all(Object.values(homes).map(countUsers))).reduce((a, b) => a + b);

/** Registers one person. */
async function registerOne(service: Service): Promise<Person> {
  const [person] = await registerPeople(service, 1);
  if (!person) throw new Error("nobody registered");
  return person;
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

test(`${USERS} users move while they use the service, change identifiers and delete accounts, and nothing is lost or done twice`, {
  timeout: 3_600_000,
}, async ({ annotate }) => {
  const service = newService(1);
  const { mover, random } = service;
  const people = await registerPeople(service, USERS);
  const before = await countAllUsers();
  const newcomers: Person[] = [];
  const begun: Promise<void>[] = [];
  let isMoving = true;
  let acts = 0;
  let deaths = 0;
  const begin = (work: (way: Way) => Promise<void>) => {
    const { attempted, done } = beginAct(work);
    begun.push(done);
    return attempted;
  };
  const load = Array.from({ length: ACTIVE }, async () => {
    while (isMoving) {
      const person = people[Math.floor(random() * people.length)];
      if (person) await act(person);
      acts += 1;
      await takeTurns();
    }
  });
  const randomStep = () => steps[Math.floor(random() * steps.length)];
  /** Every fourth person deletes the account at some step of the move, and half of them come back. */
  const plans = people.map((_, i) => ({ changes: randomStep(), deletes: i % 4 === 3 ? randomStep() : undefined }));
  const deleting = new Set<Person>();
  const deleteAndComeBack = async (person: Person, way: Way) => {
    deleting.add(person);
    await alone(person, way, () => deleteAccount(person, way));
    if (person.isGone && random() < 0.5) newcomers.push(await comeBack(person, way));
  };
  const moveWhileActing = async (person: Person, target: string, isFirst: boolean) => {
    const own = isFirst ? plans[people.indexOf(person)] : undefined;
    const after = async (step: Step) => {
      const isTime = step === own?.deletes && !deleting.has(person);
      if (isTime) await begin((way) => deleteAndComeBack(person, way));
      else if (step === own?.changes) await begin((way) => alone(person, way, () => changeNumber(person, way)));
      else await begin((way) => act(person, way));
      await takeTurns();
      if (random() < DEATHS) throw new Error("died");
    };
    for (let isDone = false; !isDone; ) {
      isDone = await mover.move({ user: person.userId }, target, after).then(
        () => true,
        (error: Error) => {
          if (error.message !== "died") throw error;
          deaths += 1;
          return false;
        },
      );
    }
  };
  try {
    await eachOf(people, MOVING, "users have moved", (person) => moveWhileActing(person, "second", true));
    // Some move back to where their fences are.
    const returning = people.slice(0, Math.ceil(USERS / 4));
    await eachOf(returning, MOVING, "users have moved back", (person) => moveWhileActing(person, "first", false));
  } finally {
    isMoving = false;
  }
  await Promise.all([...load, ...begun]);
  expect(await findProblems(service, [...people, ...newcomers])).toEqual([]);
  const gone = people.filter(({ isGone }) => isGone).length;
  expect(await countAllUsers()).toBe(before - gone + newcomers.length);
  const sum = (of: (person: Person) => number) => people.reduce((total, person) => total + of(person), 0);
  const figures = {
    ...{ users: USERS, acts: acts + begun.length, refusals: service.router.refusals, deaths },
    ...{ changes: sum(({ counts }) => counts.changes), undone: sum(({ counts }) => counts.undone) },
    ...{ deleted: gone, back: newcomers.length, late_codes: sum(({ lateCodes }) => lateCodes) },
  };
  await annotate(JSON.stringify(figures));
  for (const name of ["refusals", "changes", "deleted"] as const) expect(figures[name], name).toBeGreaterThan(0);
});

const dyingAfter = (last: Step) => async (step: Step) => {
  if (step === last) throw new Error("died");
};

test.for(steps)("a mover that dies after the step %s is continued", async (last: Step) => {
  const service = newService(steps.indexOf(last));
  const { mover } = service;
  const [stays, leaves] = await registerPeople(service, 2);
  if (!stays || !leaves) throw new Error("nobody registered");
  await changeNumber(stays);
  const before = await countAllUsers();
  const begun: Promise<void>[] = [];
  const begin = (work: (way: Way) => Promise<void>) => {
    const { attempted, done } = beginAct(work);
    begun.push(done);
    return attempted;
  };
  for (const person of [stays, leaves]) {
    await expect(mover.move({ user: person.userId }, "second", dyingAfter(last))).rejects.toThrow("died");
  }
  begun.push(earnPoints(stays));
  await begin((way) => changeAddress(stays, way));
  await begin((way) => undo(stays, way));
  await begin((way) => deleteAccount(leaves, way));
  const changeAgain = async (step: Step) => {
    if (step === "flip") await begin((way) => changeAddress(stays, way));
  };
  await Promise.all([mover.resume({ user: stays.userId }, changeAgain), mover.resume({ user: leaves.userId })]);
  await Promise.all(begun);
  expect(await directory.find({ user: stays.userId })).toMatchObject({ home: "second", state: "settled" });

  const email = newEmail();
  const token = (await stays.verify(email)) ?? "";
  const brought = mover.bring(email, stays.userId, "second", { after: dyingAfter(last) });
  await expect(brought, "a new identifier is moved by the same steps").rejects.toThrow("died");
  await putIdentifier(stays, email, token);

  expect(await findProblems(service, [stays, leaves])).toEqual([]);
  expect([stays.email, stays.counts.undone, leaves.isGone]).toEqual([email, 1, true]);
  expect(await countAllUsers()).toBe(before - 1);
});

/** What a naive mover does wrong, what the person does meanwhile, and how it shows. */
const mistakes: {
  name: string;
  plan: Plan;
  at: Step;
  does: (person: Person, way: Way) => Promise<void>;
  problem: RegExp;
}[] = [
  {
    name: "flips the directory before it fences the old home loses a confirmed change",
    ...{ plan: naivePlans.fencesLate, at: "copy", does: changeAddress, problem: /lost the change to House/ },
  },
  {
    name: "copies without a fence brings a deleted account back",
    ...{ plan: naivePlans.fencesLate, at: "copy", does: deleteAccount, problem: /rows of users are back/ },
  },
  {
    name: "moves a user without the directory's entries of new identifiers leaves these behind",
    ...{ plan: naivePlans.claimsNothing, at: "mark", does: changeNumber, problem: /is in another home/ },
  },
  {
    name: "forgets the identifiers that a user may take back loses an undo",
    ...{ plan: naivePlans.forgetsFormer, at: "compare", does: undo, problem: /number: .*, not / },
  },
];

test.for(mistakes.map((mistake) => [mistake.name, mistake] as const))("a mover that %s", async ([, mistake]) => {
  const { plan, at, does, problem } = mistake;
  const service = newService(1, plan);
  const person = await registerOne(service);
  if (does === undo) await changeNumber(person);
  // From now on, the router remembers the home.
  await changeAddress(person);
  const begun: Promise<void>[] = [];
  await service.mover.move({ user: person.userId }, "second", async (step) => {
    if (step !== at) return;
    const { attempted, done } = beginAct((way) => does(person, way));
    begun.push(done);
    await attempted;
  });
  await Promise.all(begun);
  expect(await findProblems(service, [person])).toContainEqual(expect.stringMatching(problem));
});
