import { refreshAll } from "./acts.ts";
import { problemsOf } from "./check-person.ts";
import { deliverDeletion } from "./identity-acts.ts";
import { Person } from "./person.ts";
import type { Way } from "./router.ts";
import type { Service } from "./service.ts";

/** Number of people who act at the same time. */
export const ACTIVE = 8;

/**
 * Runs the work for each item, `limit` at a time, and logs after each how many are done; `said` names the step.
 * `npm run homes` shows these lines.
 */
export async function eachOf<T>(
  items: Iterable<T>,
  limit: number,
  said: string,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items[Symbol.iterator]();
  let done = 0;
  await Promise.all(
    Array.from({ length: limit }, async () => {
      for (let next = waiting.next(); !next.done; next = waiting.next()) {
        await work(next.value);
        done += 1;
        console.log(JSON.stringify({ event: "progress", step: said, done }));
      }
    }),
  );
}

export async function registerPeople(service: Service, count: number): Promise<Person[]> {
  const people = Array.from({ length: count }, () => new Person(service));
  await eachOf(people, ACTIVE, "users have registered", (person) => person.register());
  return people;
}

/** Starts one act; `attempted` resolves when it is done or has to wait. */
export function beginAct(work: (way: Way) => Promise<void>): { attempted: Promise<void>; done: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = work({ onWait: resolve });
  return { attempted: Promise.race([promise, done]), done };
}

/** Somebody registers with the number of a deleted account. */
export async function comeBack(gone: Person, way: Way): Promise<Person> {
  const person = new Person(gone.service, gone.phone);
  await person.register(way);
  return person;
}

/** Sends waiting messages, brings the directory up to date and removes deleted users from it; then returns problems. */
export async function findProblems(service: Service, people: readonly Person[]): Promise<string[]> {
  const problems: string[] = [];
  await service.sendWaiting();
  await eachOf(people, ACTIVE, "users have refreshed or were erased", async (person) => {
    await service.mover.confirm(person.userId);
    if (person.isGone) {
      await deliverDeletion(person);
      await service.directory.forget(person.userId);
    } else {
      await refreshAll(person);
    }
  });
  await eachOf(people, ACTIVE, "users were checked", async (person) => {
    problems.push(...(await problemsOf(person)));
  });
  return problems;
}
