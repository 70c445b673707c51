import { vi } from "vitest";
import type { HeldMessage } from "../support/simulator/queue.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import type { Flow, Run } from "./flow-table.ts";

const TICK_MS = 61_000;
/** Longer than a consumer's claim on a message. */
const REDELIVERY_MS = 31_000;
const ROUNDS = 6;
const HOURS_MS = 2 * 60 * 60_000;

/** A message held by a queue. */
export interface Held {
  queue: string;
  message: HeldMessage;
}

/** Advances the clock. */
export const advance = (milliseconds: number) => vi.setSystemTime(Date.now() + milliseconds);

/** A simulation without races, whose clock advances if a call hangs. */
export function newSimulation(handler?: Run["handler"]): Simulation {
  // Deadlines of dead invocations; clearing them resets the clock to its start.
  const now = Date.now();
  vi.clearAllTimers();
  vi.setSystemTime(now);
  const simulation = new Simulation(1, handler, true);
  simulation.scheduler.passTime = () => {
    if (vi.getTimerCount() === 0) return false;
    vi.advanceTimersToNextTimer();
    return true;
  };
  return simulation;
}

/** Takes the messages out of the simulation's queues. */
export const heldIn = (simulation: Simulation): Held[] => [
  ...simulation.queue.held.splice(0).map((message) => ({ queue: "tasks", message })),
  ...simulation.searchQueue.held.splice(0).map((message) => ({ queue: "search", message })),
];

/**
 * Runs three cron ticks; after each the queues deliver everything, twice if `isDoubled`, in any order, until they are
 * empty. Returns the messages that are left.
 */
export async function settle(flow: Flow, left: Held[], env: Partial<Env>, isDoubled: boolean): Promise<string[]> {
  let held = left;
  const simulation = newSimulation();
  let serial = 0;
  const { random } = simulation.scheduler;
  const deliver = async () => {
    const due = held.map(({ queue, message }) => ({ queue, message: { ...message, id: `s${serial++}` } }));
    const doubled = [
      ...due,
      ...(isDoubled ? due : []).map(({ queue, message }) => ({ queue, message: { ...message, id: `${message.id}x` } })),
    ];
    const shuffled = doubled.map((each) => ({ each, order: random() })).sort((a, b) => a.order - b.order);
    held = [];
    for (const [queue, group] of Map.groupBy(shuffled, ({ each }) => each.queue)) {
      const size = queue === "search" ? 100 : 10;
      for (let at = 0; at < group.length; at += size) {
        const batch = group.slice(at, at + size).map(({ each }) => each.message);
        const again = await simulation.hand(queue, batch, { env });
        // One of two redelivered copies is enough.
        held.push(...again.filter(({ id }) => !id.endsWith("x")).map((message) => ({ queue, message })));
      }
    }
    held.push(...heldIn(simulation));
  };
  for (let tick = 0; tick < 3; tick++) {
    advance(flow.isSwept && tick === 0 ? HOURS_MS : TICK_MS);
    await simulation.tick(1, { env });
    held.push(...heldIn(simulation));
    for (let round = 0; round < ROUNDS && held.length > 0; round++) {
      if (round > 0) advance(REDELIVERY_MS);
      await deliver();
    }
  }
  return held.map(({ queue, message }) => `left in ${queue}: ${JSON.stringify(message.body)}`);
}
