import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { expect } from "vitest";
import worker from "../../src/index.ts";
import { call, newIp, newPhone, testEnv } from "./client.ts";
import { databaseWithout } from "./production.ts";

/** A message that the Worker sends to a queue. */
export interface Sent {
  event_id: string;
  type: string;
  payload: string;
}

/** A queue that holds the messages for the identifier instead of delivering them. */
export function keepingQueue(identifier: string) {
  const sent: Sent[] = [];
  const queue = {
    sendBatch: async (messages: Iterable<{ body: Sent }>) => {
      // Queues transport copies.
      for (const { body } of messages) {
        if (body.payload.includes(identifier)) sent.push(JSON.parse(JSON.stringify(body)));
      }
    },
  };
  return { sent, env: { OTP_QUEUE: queue as unknown as Env["OTP_QUEUE"] } };
}

/**
 * Requests a code whose first attempt fails before any provider is called, because the budget cannot be counted, and
 * returns the message that its request therefore sends to the queue.
 */
export async function requestAndKeep(
  identifier = newPhone(),
  env: Partial<Env> = {},
  headers: Record<string, string> = {},
): Promise<Sent> {
  const { sent, env: queue } = keepingQueue(identifier);
  const answer = await call("POST", "/api/auth/otp/request", {
    ip: newIp(),
    json: { identifier },
    env: { ...env, ...queue, ...databaseWithout(/^update "(sms|email)_budget_days"/i) },
    headers,
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  expect(sent).toHaveLength(1);
  return sent[0] as Sent;
}

/** What `consume` returns for one message that was acknowledged. */
export const acknowledged = { acked: [0], retried: [] };
/** What `consume` returns for one message that is retried. */
export const retried = { acked: [], retried: [0] };

/** Passes the bodies to the consumer as one batch; returns the positions of acknowledged and retried messages. */
export async function consume(bodies: unknown[], env: Partial<Env> = {}, attempts = 1, queue = "otp") {
  const messages = bodies.map((body, i) => ({ id: `m${i}`, timestamp: new Date(), attempts, body }));
  const batch = createMessageBatch(queue, messages);
  const context = createExecutionContext();
  await worker.queue(batch, { ...testEnv, ...env }, context);
  const result = await getQueueResult(batch, context);
  expect(result.outcome).toBe("ok");
  const position = (id: string) => Number(id.slice(1));
  const inOrder = (ids: string[]) => ids.map(position).sort((a, b) => a - b);
  return {
    acked: result.ackAll ? bodies.map((_, i) => i) : inOrder(result.explicitAcks),
    retried: inOrder(result.retryMessages.map(({ msgId }: { msgId: string }) => msgId)),
  };
}
