import type { Invocation, Scheduler } from "./scheduler.ts";

/** A message held by the queue. */
export interface HeldMessage {
  id: string;
  body: unknown;
  attempts: number;
}

/** Holds messages until the test delivers them, in any order and as often as it likes. */
export class EdgeQueue {
  readonly held: HeldMessage[] = [];
  private readonly scheduler: Scheduler;
  private sent = 0;

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  bindingFor(invocation: Invocation): Queue {
    const hold = (bodies: unknown[]) => {
      // Queues transport the serialised body, not the sender's object.
      for (const body of bodies) this.held.push({ id: `m${this.sent++}`, body: structuredClone(body), attempts: 1 });
    };
    const pass = (operation: string, work: () => Promise<void>) =>
      this.scheduler.pass(invocation, { binding: "QUEUE", operation, detail: [] }, work);
    const binding = {
      send: (body: unknown) => pass("send", async () => hold([body])),
      sendBatch: (messages: Iterable<MessageSendRequest>) =>
        pass("sendBatch", async () => hold([...messages].map(({ body }) => body))),
    };
    return binding as unknown as Queue;
  }
}
