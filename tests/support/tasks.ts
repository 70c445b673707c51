import { createExecutionContext, createScheduledController, waitOnExecutionContext } from "cloudflare:test";
import { vi } from "vitest";
import worker from "../../src/index.ts";
import { type SignedIn, testEnv } from "./client.ts";
import { rows } from "./database.ts";
import type { BindingCall, Fault } from "./simulator/scheduler.ts";
import type { Simulation } from "./simulator/simulation.ts";

/** A message of the task queue. */
export interface TaskMessage {
  event_id: string;
  type: string;
  user_id: string | null;
  payload: string;
  created_at: number;
}

/** A task queue that holds its messages instead of delivering them. */
export function heldTasks() {
  const held: TaskMessage[] = [];
  const sendBatch = async (messages: Iterable<{ body: TaskMessage }>) => {
    // Queues transport copies.
    for (const { body } of messages) held.push(JSON.parse(JSON.stringify(body)));
  };
  return {
    env: { TASK_QUEUE: { sendBatch } as unknown as Env["TASK_QUEUE"] },
    /** Takes the user's messages out of the queue. */
    take(userId: string, type?: string): TaskMessage[] {
      const own = held.filter((message) => message.user_id === userId && (type ?? message.type) === message.type);
      for (const message of own) held.splice(held.indexOf(message), 1);
      return own;
    },
  };
}

/**
 * Passes the messages to the consumer in one batch; returns for each whether it was acknowledged, or in how many
 * seconds it is retried.
 */
export async function runTasks(
  bodies: TaskMessage[],
  env: Partial<Env>,
  attempts = 1,
): Promise<("taken" | number | undefined)[]> {
  const outcomes: ("taken" | number | undefined)[] = bodies.map(() => undefined);
  const messages = bodies.map((body, i) => ({
    id: `m${i}`,
    timestamp: new Date(),
    attempts,
    body: structuredClone(body),
    ack: () => outcomes.splice(i, 1, "taken"),
    retry: (options?: QueueRetryOptions) => outcomes.splice(i, 1, options?.delaySeconds),
  }));
  const context = createExecutionContext();
  const batch = { queue: "tasks", messages, ackAll: () => {}, retryAll: () => {} } as unknown as MessageBatch;
  await worker.queue(batch, { ...testEnv, ...env }, context);
  await waitOnExecutionContext(context);
  return outcomes;
}

/** Runs one cron tick. */
export async function tick(env: Partial<Env> = {}): Promise<void> {
  const context = createExecutionContext();
  await worker.scheduled(createScheduledController({ cron: "* * * * *" }), { ...testEnv, ...env }, context);
  await waitOnExecutionContext(context);
}

/** Lets minutes pass: in each, the cron runs and the task queue delivers everything. The clock must be stopped. */
export async function runMinutes(
  simulation: Simulation,
  minutes: number,
  faults?: (call: BindingCall) => Fault | undefined,
): Promise<void> {
  const place = faults ? { faults } : {};
  for (let minute = 0; minute < minutes; minute++) {
    await simulation.tick(1, place);
    await simulation.deliver(1, place);
    vi.setSystemTime(Date.now() + 61_000);
  }
}

/** The user's notifications of one type. */
export const notificationsOf = ({ userId }: Pick<SignedIn, "userId">, type: string) =>
  rows<{ title: string; message: string; data: string }>(
    "select title, message, data from notifications where user_id = ? and notification_type = ?",
    userId,
    type,
  );
