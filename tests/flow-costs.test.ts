import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type FlowCost, flowCosts } from "../scripts/operations/flow-costs.ts";
import { type CallOptions, newEmail, newIp, newPhone } from "./support/client.ts";
import { fakeDelivery } from "./support/internet.ts";
import { closeBreakers } from "./support/production.ts";
import type { BindingCall } from "./support/simulator/scheduler.ts";
import { Simulation } from "./support/simulator/simulation.ts";

const HOUR = 3_600_000;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  await closeBreakers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Calls in production, and counts everything that they cause. */
class Measured {
  readonly simulation = new Simulation(1);
  private readonly ip = newIp();
  private readonly world: ReturnType<typeof fakeDelivery>;
  private counted = 0;

  constructor(world: ReturnType<typeof fakeDelivery>) {
    this.world = world;
  }

  async call(method: string, path: string, options: CallOptions) {
    const all = { ip: this.ip, env: this.world.env, ...options };
    const answer = await this.simulation.call(method, path, all);
    if (answer === "died") throw new Error("the call died");
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    const { queue, searchQueue } = this.simulation;
    while (queue.held.length + searchQueue.held.length > 0) {
      await this.simulation.consume("tasks", queue.held.splice(0), 1, { env: this.world.env });
      await this.simulation.consume("search", searchQueue.held.splice(0), 1, { env: this.world.env });
    }
    return answer.body;
  }

  /** Requests a code, verifies it and exchanges it for a session. */
  async enter(identifier: string, step: "register" | "login"): Promise<{ token: string; refresh: string }> {
    await this.call("POST", "/api/auth/otp/request", { json: { identifier } });
    const otp = this.world.newestCode(identifier);
    const { data: proof } = await this.call("POST", "/api/auth/otp/verify", { json: { identifier, otp } });
    const json = { identifier, verification_token: proof.verification_token };
    const { data } = await this.call("POST", `/api/auth/${step}`, { json });
    return { token: data.access_token, refresh: data.refresh_token };
  }

  /** The calls to D1 since the last time. */
  takeCalls(): BindingCall[] {
    const calls = this.simulation.log.slice(this.counted).filter(({ binding }) => /^(D1|SEARCH_DB)$/.test(binding));
    this.counted = this.simulation.log.length;
    return calls;
  }
}

/** Rows written by statement, as `verb table`; statements that wrote nothing are left out. */
function breakdownOf(calls: readonly BindingCall[]): Record<string, number> {
  const breakdown: Record<string, number> = {};
  for (const { detail, writtenByStatement } of calls) {
    for (const [i, sql] of detail.entries()) {
      const [, verb = "?", table = "?"] = /^\s*(insert into|update|delete from)\s+["`]?(\w+)/i.exec(sql) ?? [];
      const rows = writtenByStatement[i] ?? 0;
      const name = `${verb} ${table}`;
      if (rows > 0) breakdown[name] = (breakdown[name] ?? 0) + rows;
    }
  }
  return breakdown;
}

async function measureFlows() {
  const world = fakeDelivery();
  const costs: Record<string, FlowCost> = {};
  const breakdowns: Record<string, Record<string, number>> = {};
  const count = (flow: string, measured: Measured) => {
    const calls = measured.takeCalls();
    costs[flow] = { trips: calls.length, rowsWritten: calls.reduce((sum, { rowsWritten }) => sum + rowsWritten, 0) };
    breakdowns[flow] = breakdownOf(calls);
  };
  for (const [channel, newIdentifier] of [["SMS", newPhone] as const, ["e-mail", newEmail] as const]) {
    // The day's budget has a row.
    await new Measured(world).enter(newIdentifier(), "register");
    const measured = new Measured(world);
    const identifier = newIdentifier();
    await measured.enter(identifier, "register");
    count(`sign-up by ${channel}`, measured);
    vi.setSystemTime(Date.now() + 24 * HOUR);
    await new Measured(world).enter(newIdentifier(), "register");
    const { token, refresh } = await measured.enter(identifier, "login");
    count(`sign-in by ${channel}`, measured);
    await measured.call("GET", "/api/auth/me", { token });
    count("me", measured);
    vi.setSystemTime(Date.now() + HOUR);
    const next = await measured.call("POST", "/api/auth/refresh", { json: { refresh_token: refresh } });
    count("refresh", measured);
    await measured.call("POST", "/api/auth/logout", { token: next.access, json: { refresh_token: next.refresh } });
    count("logout", measured);
  }
  return { costs, breakdowns };
}

/** The most that each flow may cost. */
const limits: Readonly<Record<string, FlowCost>> = {
  "sign-in by SMS": { trips: 5, rowsWritten: 16 },
  "sign-in by e-mail": { trips: 5, rowsWritten: 13 },
  "sign-up by SMS": { trips: 9, rowsWritten: 32 },
  "sign-up by e-mail": { trips: 9, rowsWritten: 32 },
  refresh: { trips: 1, rowsWritten: 3 },
  logout: { trips: 1, rowsWritten: 3 },
  me: { trips: 1, rowsWritten: 0 },
};

it("the documented cost of each flow in production equals its measured cost, everything behind it included", async () => {
  const { costs, breakdowns } = await measureFlows();
  console.log(JSON.stringify(breakdowns, null, 1));
  expect(costs).toEqual(flowCosts);
});

it.each(Object.entries(limits))("a whole %s stays within its round trips and rows", (flow, most) => {
  expect(flowCosts[flow]?.trips).toBeLessThanOrEqual(most.trips);
  expect(flowCosts[flow]?.rowsWritten).toBeLessThanOrEqual(most.rowsWritten);
});
