import { expect, it, vi } from "vitest";
import { type BackgroundCost, backgroundCosts } from "../scripts/operations/background-costs.ts";
import { callCosts } from "../scripts/operations/call-costs.ts";
import { flowCosts } from "../scripts/operations/flow-costs.ts";
import { type CallOptions, newIp, newPhone, readCode } from "./support/client.ts";
import { useClock } from "./support/clock.ts";
import { Simulation } from "./support/simulator/simulation.ts";

useClock();

/**
 * Runs one call and the work that it causes. The returned cost has the rows of the background work alone, but the KV
 * operations of the call too.
 */
async function measure(method: string, path: string, options: CallOptions) {
  const simulation = new Simulation(1);
  const answer = await simulation.call(method, path, options);
  if (answer === "died") throw new Error("the call died");
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  const own = simulation.log.length;
  let messages = 0;
  for (let round = 0; round < 5; round++) {
    const [tasks, search] = [simulation.queue.held.splice(0), simulation.searchQueue.held.splice(0)];
    messages += tasks.length + search.length;
    await simulation.consume("tasks", tasks);
    await simulation.consume("search", search);
  }
  const kv = simulation.log.filter(({ binding }) => binding === "KV");
  const later = simulation.log.slice(own);
  const cost: BackgroundCost = {
    kvReads: kv.filter(({ operation }) => operation === "get").reduce((sum, { detail }) => sum + detail.length, 0),
    kvWrites: kv.filter(({ operation }) => operation !== "get").length,
    messages,
    rowsRead: later.reduce((sum, { rowsRead }) => sum + rowsRead, 0),
    rowsWritten: later.reduce((sum, { rowsWritten }) => sum + rowsWritten, 0),
  };
  return { body: answer.body, cost };
}

/** The number of rows that a lookup reads depends slightly on the other rows of a table. */
const ROWS_OF_CHANCE = 10;

it("the background work of each call costs what the documented prices assume", async () => {
  const ip = newIp();
  const identifier = newPhone();
  const costs: Record<string, BackgroundCost> = {};
  const go = async (route: string, method: string, path: string, options: CallOptions) => {
    const { body, cost } = await measure(method, path, { ip, ...options });
    // The codes of a new and of a returning user cost the same.
    expect.soft({ ...cost, rowsRead: 0 }, route).toEqual({ ...(costs[route] ?? cost), rowsRead: 0 });
    costs[route] = cost;
    return body;
  };
  const prove = async (nth: number) => {
    await go("otp/request", "POST", "/api/auth/otp/request", { json: { identifier } });
    const otp = await readCode(identifier, nth);
    const { data } = await go("otp/verify", "POST", "/api/auth/otp/verify", { json: { identifier, otp } });
    return { identifier, verification_token: data.verification_token };
  };
  const { data } = await go("register", "POST", "/api/auth/register", { json: await prove(1) });
  const token = data.access_token;
  await go("me", "GET", "/api/auth/me", { token });
  await go("wallet", "GET", "/api/users/wallet", { token });
  await go("usage-stats", "GET", "/api/users/analytics/usage-stats", { token });
  const refreshed = await go("refresh", "POST", "/api/auth/refresh", { json: { refresh_token: data.refresh_token } });
  await go("logout", "POST", "/api/auth/logout", { token, json: { refresh_token: refreshed.refresh } });
  vi.setSystemTime(Date.now() + 61_000);
  await go("login", "POST", "/api/auth/login", { json: await prove(2) });
  expect(Object.keys(costs).sort()).toEqual(Object.keys(backgroundCosts).sort());
  for (const [route, { rowsRead, ...cost }] of Object.entries(costs)) {
    const { rowsRead: stated = 0, ...others } = backgroundCosts[route] ?? {};
    expect.soft(cost, route).toEqual(others);
    expect.soft(Math.abs(rowsRead - stated), route).toBeLessThan(ROWS_OF_CHANCE);
  }
});

/** The calls of each flow, and the rows that it writes beyond theirs. */
const flows: [string, string[], number][] = [
  ["sign-in by SMS", ["otp/request", "otp/verify", "login"], 0],
  // A code to a number without an account also counts towards the hour's limit of such calls.
  ["sign-up by SMS", ["otp/request", "otp/verify", "register"], 1],
  ["refresh", ["refresh"], 0],
  ["logout", ["logout"], 0],
  ["me", ["me"], 0],
];

// tests/budgets.test.ts, tests/flow-costs.test.ts and the test above measure the numbers that are compared here.
it.each(flows)("a %s writes the rows of its calls and of their background work", (flow, routes, more) => {
  const written = routes.map(
    (route) => (callCosts[route]?.rowsWritten ?? 0) + (backgroundCosts[route]?.rowsWritten ?? 0),
  );
  expect(written.reduce((sum, rows) => sum + rows, more)).toBe(flowCosts[flow]?.rowsWritten);
});
