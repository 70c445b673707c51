import fc from "fast-check";
import { expect, test } from "vitest";
import { type CallOptions, call, newEmail, newPhone, type SignedIn } from "../../support/client.ts";
import { rows, run } from "../../support/database.ts";
import { newStaff, newUser } from "../../support/kyc.ts";
import type { HeldMessage } from "../../support/simulator/queue.ts";
import { type FetchHandler, realHandler, Simulation } from "../../support/simulator/simulation.ts";
import { deliverSearch, directory, duringEra, idsOf, newEra, searchDue, USERS } from "../../support/staff.ts";

const PEOPLE = 3;
const STATUSES = ["ACTIVE", "INACTIVE", "BANNED"] as const;

/** A change of a user, or the delivery of one of the messages sent so far, up to three times at once. */
type Step = { who: number } & (
  | { type: "rename" | "name"; name: number }
  | { type: "phone" | "email" | "delete" }
  | { type: "status"; status: number }
  | { type: "deliver"; which: number; copies: number }
);

const who = fc.nat(PEOPLE - 1);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant("rename" as const), who, name: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("name" as const), who, name: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom("phone" as const, "email" as const), who }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("status" as const), who, status: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("delete" as const), who }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("deliver" as const),
      who,
      which: fc.nat(9),
      copies: fc.integer({ min: 1, max: 3 }),
    }),
  },
);

const FULL_NAMES = ["Sita Shrestha", "Shrestha  Sita Maya", "सीता श्रेष्ठ", "Ram KC"];
const NAME_TEXTS = ["shrestha sita", "Sita", "restha", "श्रेष्ठ सीता", "kc ram", "ram kc", "maya KC", "ita hre"];

interface Scene {
  simulation: Simulation;
  staff: SignedIn;
  people: SignedIn[];
  names: string[];
  era: number;
  /** Every message so far; each may be delivered again. */
  sent: HeldMessage[];
  /** Statuses of the responses to the changes. */
  statuses: number[];
}

async function begin(seed: number): Promise<Scene> {
  const people = await Promise.all(Array.from({ length: PEOPLE }, () => newUser()));
  const era = newEra();
  for (const [i, { userId }] of people.entries()) {
    // Two of them joined at the same time.
    await run("update users set date_joined = ? where id = ?", era + Math.floor(i / 2), userId);
  }
  await deliverSearch(people.map(({ userId }) => userId));
  const mark = `q${crypto.randomUUID().slice(0, 8)}`;
  const names = ["aaaa", "aaab", "baab", "abab"].map((name) => `${mark}.${name}`);
  return { simulation: new Simulation(seed), staff: await newStaff(), people, names, era, sent: [], statuses: [] };
}

/** Moves the messages that the search queue holds to `sent`. */
function collect({ simulation, sent }: Scene): void {
  sent.push(...simulation.searchQueue.held.splice(0));
}

async function act(scene: Scene, step: Step): Promise<void> {
  const { simulation, staff, people, names, sent } = scene;
  const { userId, access } = people[step.who] as SignedIn;
  const path = `${USERS}/${userId}`;
  const send = async (method: string, route: string, options: CallOptions) => {
    const answer = await simulation.call(method, route, options);
    scene.statuses.push(answer === "died" ? 0 : answer.status);
  };
  const change = (json: Record<string, unknown>) =>
    send("PATCH", path, { token: staff.access, json: { ...json, reason: "x" } });
  if (step.type === "rename") await change({ username: `${names[step.name]}${step.who}` });
  if (step.type === "name") await change({ full_name: FULL_NAMES[step.name] });
  if (step.type === "phone") await change({ phone_number: newPhone() });
  if (step.type === "email") await change({ email: newEmail() });
  if (step.type === "status") {
    const json = { status: STATUSES[step.status], reason: "x" };
    await send("POST", `${path}/status`, { token: staff.access, json });
  }
  if (step.type === "delete") {
    // A changed identifier ended the session, and the account deletion needs one.
    await run("update sessions set revoked_at = null where user_id = ?", userId);
    await send("DELETE", "/api/auth/account", { token: access, json: {} });
  }
  collect(scene);
  const message = step.type === "deliver" ? sent[step.which % Math.max(1, sent.length)] : undefined;
  if (step.type === "deliver" && message) await simulation.consume("search", [message], step.copies);
}

interface Row {
  id: string;
  username_key: string;
  email: string | null;
  phone_number: string | null;
  full_name: string | null;
  status: string;
  date_joined: number;
}

/** Reference search: filters the rows in memory, newest first. */
function naiveSearch(all: Row[], text: string, status?: string): string[] {
  const words = text.toLowerCase().split(" ");
  const fits = ({ username_key, email, phone_number, full_name }: Row) => {
    const names = (full_name ?? "").toLowerCase().split(/\s+/);
    const fields = [username_key, email ?? "", phone_number?.slice(4) ?? "", ...names];
    return words.every((word) =>
      fields.some((field) => (word.length < 3 ? field.startsWith(word) : field.includes(word))),
    );
  };
  return all
    .filter((row) => fits(row) && (status ?? row.status) === row.status)
    .sort((a, b) => b.date_joined - a.date_joined)
    .map(({ id }) => id);
}

/** Compares the search with the rows; users who joined at the same time may be in either order. */
async function expectAgreement({ staff, people, names, era }: Scene): Promise<void> {
  const ids = JSON.stringify(people.map(({ userId }) => userId));
  const all = await rows<Row>(
    `select users.*, full_name from users left join profiles on profiles.user_id = users.id
      where users.id in (select value from json_each(?))`,
    ids,
  );
  const own = all.flatMap(({ username_key, email, phone_number }) => [
    username_key.slice(2),
    username_key.slice(0, 9),
    ...(email ? [email.slice(2, 9), email] : []),
    ...(phone_number ? [phone_number.slice(6), phone_number.slice(4, 11), phone_number.slice(4)] : []),
  ]);
  const former = people.map(({ identifier }) => identifier.slice(5));
  const texts = new Set([
    ...own,
    ...former,
    ...names,
    names[0]?.slice(0, 9) ?? "",
    "aab",
    "bab",
    ".aaaa",
    ...NAME_TEXTS,
  ]);
  for (const [nth, text] of [...texts].entries()) {
    for (const status of [undefined, STATUSES[nth % 3]]) {
      const query = `search=${encodeURIComponent(text)}&${duringEra(era)}${status ? `&status=${status}` : ""}`;
      const found = idsOf(await directory(staff, query));
      const expected = naiveSearch(all, text, status);
      expect(found.toSorted(), `${text} ${status ?? ""}`).toEqual(expected.toSorted());
      const joined = found.map((id) => all.find((row) => row.id === id)?.date_joined ?? 0);
      expect(joined, "newest first").toEqual(joined.toSorted((a, b) => b - a));
    }
  }
}

test("the search finds what the rows contain after any changes and any order and repetition of messages", async () => {
  let seed = 0;
  const seen = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStep, { minLength: 3, maxLength: 14 }),
      fc.infiniteStream(fc.nat()),
      async (steps, order) => {
        seed += 1;
        const scene = await begin(seed);
        for (const step of steps) await act(scene, step);
        // Pending messages are delivered in any order, and delivered ones again.
        const shuffled = scene.sent
          .map((message) => ({ message, at: order.next().value ?? 0 }))
          .sort((a, b) => a.at - b.at)
          .map(({ message }) => message);
        await scene.simulation.consume("search", shuffled);
        await expectAgreement(scene);
        for (const status of scene.statuses) seen.set(status, (seen.get(status) ?? 0) + 1);
      },
    ),
    { numRuns: 12, seed: 20_261, endOnFailure: true },
  );
  // Most changes are made; the others find the account deleted, or its session ended.
  expect(seen.get(200)).toBeGreaterThan(30);
  expect([...seen.keys()].filter((status) => ![200, 401, 404, 409].includes(status))).toEqual([]);
}, 120_000);

test("the search matches the rows after changes and deliveries ran concurrently", async () => {
  for (const seed of [1, 2, 3]) {
    const scene = await begin(seed);
    const { default: worker } = await import("../../../src/index.ts");
    const beside: FetchHandler = async (request, bindings, context) => {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname !== "/deliver") return realHandler(request, bindings, context);
      // Lets other work run `turns` times before the delivery.
      for (let turns = Number(searchParams.get("turns")); turns > 0; turns--) await bindings.KV.get("turn");
      const { body } = searchDue(searchParams.get("user") ?? "");
      const message = { id: "m", timestamp: new Date(), attempts: 1, body, ack: () => {}, retry: () => {} };
      const batch = { queue: "search", messages: [message], ackAll: () => {}, retryAll: () => {} };
      await worker.queue(batch as unknown as MessageBatch, bindings, context);
      return Response.json({ success: true });
    };
    const simulation = new Simulation(seed, beside);
    const calls = Array.from({ length: 60 }, (_, i) => {
      const { userId } = scene.people[i % PEOPLE] as SignedIn;
      const username = `${scene.names[i % 4]}${i % 5}.${i % PEOPLE}`;
      return i % 2
        ? { method: "POST", path: `/deliver?user=${userId}&turns=${i % 7}` }
        : {
            method: "PATCH",
            path: `${USERS}/${userId}`,
            options: { token: scene.staff.access, json: { username, reason: "x" } },
          };
    });
    const results = await simulation.race(calls);
    for (const result of results) expect(result === "died" || result.status < 500).toBe(true);
    // Every message of the changes, twice.
    await simulation.consume("search", simulation.searchQueue.held.splice(0), 2);
    await expectAgreement(scene);
    expect((await call("GET", `${USERS}?search=x`, { token: scene.staff.access })).status).toBe(200);
  }
}, 120_000);
