import { createMessageBatch, createScheduledController } from "cloudflare:test";
import worker from "../../../src/index.ts";
import { type Answer, buildRequest, type CallOptions, checkLimitHeaders, testEnv } from "../client.ts";
import { d1For } from "./d1.ts";
import { EdgeKv } from "./kv.ts";
import { EdgeQueue, type HeldMessage } from "./queue.ts";
import { r2For } from "./r2.ts";
import { type BindingCall, type Fault, type Invocation, Scheduler } from "./scheduler.ts";

/** A request handler: the Worker or a naive variant of it. */
export type FetchHandler = (request: Request, env: Env, context: ExecutionContext) => Response | Promise<Response>;

export const realHandler: FetchHandler = async (request, env, context) => {
  const response = await worker.fetch(request as Parameters<typeof worker.fetch>[0], env, context);
  checkLimitHeaders(response);
  return response;
};

/** A queue consumer: the Worker or a naive variant of it. */
export type QueueHandler = (batch: MessageBatch, env: Env, context: ExecutionContext) => Promise<void>;

const realConsumer: QueueHandler = (batch, env, context) => worker.queue(batch, env, context);

interface Place {
  /** Network location; calls at one location share its KV cache. */
  location?: number;
  faults?: (call: BindingCall) => Fault | undefined;
  /** Variables that replace the test's own, for a queue batch or cron tick. */
  env?: Partial<Env>;
  /** A naive variant of the consumer; the Worker itself by default. */
  consumer?: QueueHandler;
}

export type Simulated = Answer | "died";

/** Network locations in front of the test's D1, R2 and KV, in which the order of binding calls is the time. */
export class Simulation {
  readonly scheduler: Scheduler;
  readonly queue: EdgeQueue;
  /** The search queue, held separately and delivered by `consume("search", …)`. */
  readonly searchQueue: EdgeQueue;
  private readonly kv: EdgeKv;
  private readonly handler: FetchHandler;

  /** A calm simulation has neither races nor staleness, so a failure in it is not a concurrency bug. */
  constructor(seed: number, handler: FetchHandler = realHandler, isCalm = false) {
    this.scheduler = new Scheduler(seed, isCalm);
    this.queue = new EdgeQueue(this.scheduler);
    this.searchQueue = new EdgeQueue(this.scheduler);
    this.kv = new EdgeKv(this.scheduler, testEnv.KV, isCalm);
    this.handler = handler;
  }

  /** The binding calls made so far. */
  get log(): readonly BindingCall[] {
    return this.scheduler.log;
  }

  /** Runs the calls concurrently, each in its own invocation; returns their responses in the order of the calls. */
  async race(calls: { method: string; path: string; options?: CallOptions; place?: Place }[]): Promise<Simulated[]> {
    const answers = calls.map(({ method, path, options = {}, place = {} }, i) =>
      this.invoke({ location: i % 5, ...place }, async (env, context, invocation) => {
        const request = buildRequest(method, path, options);
        // The platform's response if a handler throws.
        const response = await Promise.resolve(this.handler(request, { ...env, ...options.env }, context)).catch(
          () => new Response("", { status: 500 }),
        );
        invocation.hasAnswered = true;
        // Not `text()`, which warns about the body of an image.
        const text = new TextDecoder().decode(await response.arrayBuffer());
        const isJson = response.headers.get("content-type")?.startsWith("application/json") && text !== "";
        const body = isJson ? JSON.parse(text) : text;
        return { status: response.status, headers: response.headers, body } satisfies Answer;
      }),
    );
    await this.scheduler.drain();
    return Promise.all(answers);
  }

  /** Runs a single call. */
  async call(method: string, path: string, options: CallOptions = {}, place: Place = {}): Promise<Simulated> {
    const [answer] = await this.race([{ method, path, options, place }]);
    if (answer === undefined) throw new Error("a race of one has one answer");
    return answer;
  }

  /** Delivers every held message `copies` times concurrently and shuffled, each in its own invocation. */
  async deliver(copies = 1, place: Place = {}): Promise<void> {
    await this.consume("tasks", this.queue.held.splice(0), copies, place);
  }

  /** Passes the messages, `copies` times each and shuffled, to the queue's consumer, each in its own invocation. */
  async consume(queue: string, messages: HeldMessage[], copies = 1, place: Place = {}): Promise<void> {
    const doubled = Array.from({ length: copies }, () => messages).flat();
    const shuffled = doubled
      .map((message) => ({ message, order: this.scheduler.random() }))
      .sort((a, b) => a.order - b.order);
    const done = shuffled.map(({ message }, i) =>
      this.invoke({ location: i % 5, ...place }, async (env, context) => {
        const batch = createMessageBatch(queue, [{ ...message, timestamp: new Date() }]);
        await (place.consumer ?? realConsumer)(batch, { ...env, ...place.env }, context);
      }),
    );
    await this.scheduler.drain();
    await Promise.all(done);
  }

  /** Delivers the messages as one batch in one invocation. */
  async deliverBatch(messages: readonly HeldMessage[], place: Place = {}): Promise<void> {
    const done = this.invoke(place, async (env, context) => {
      const batch = createMessageBatch(
        "tasks",
        messages.map((message) => ({ ...message, timestamp: new Date() })),
      );
      await worker.queue(batch, env, context);
    });
    await this.scheduler.drain();
    await done;
  }

  /**
   * Delivers the messages as one batch and returns those that the queue redelivers: retried ones, and unacknowledged
   * ones of a failed invocation. After a dead invocation it is unknown what was acknowledged.
   */
  async hand(queue: string, messages: readonly HeldMessage[], place: Place = {}): Promise<HeldMessage[]> {
    const verdicts = new Map<string, "ack" | "retry">();
    let hasEnded = false;
    const done = this.invoke(place, async (env, context) => {
      const given = messages.map((message) => ({
        ...message,
        timestamp: new Date(),
        ack: () => void verdicts.set(message.id, "ack"),
        retry: () => void verdicts.set(message.id, "retry"),
      }));
      const batch = { queue, messages: given, ackAll: () => {}, retryAll: () => {} } as unknown as MessageBatch;
      await (place.consumer ?? realConsumer)(batch, { ...env, ...place.env }, context);
      hasEnded = true;
      return "ended" as const;
    }).catch(() => "failed" as const);
    await this.scheduler.drain();
    const outcome = await done;
    const isTaken = ({ id }: HeldMessage) =>
      outcome !== "died" && (verdicts.get(id) === "ack" || (hasEnded && !verdicts.has(id)));
    return messages
      .filter((message) => !isTaken(message))
      .map((message) => ({ ...message, attempts: message.attempts + 1 }));
  }

  /** Runs `count` cron ticks concurrently. */
  async tick(count = 1, place: Place = {}): Promise<void> {
    const done = Array.from({ length: count }, (_, i) =>
      this.invoke({ location: i % 5, ...place }, async (env, context) => {
        await worker.scheduled(createScheduledController({ cron: "* * * * *" }), { ...env, ...place.env }, context);
      }),
    );
    await this.scheduler.drain();
    await Promise.all(done);
  }

  /** Starts an invocation, which ends when its handler and all its background work have ended. */
  private invoke<T>(
    place: Place,
    run: (env: Env, context: ExecutionContext, invocation: Invocation) => Promise<T>,
  ): Promise<T | "died"> {
    const invocation = this.scheduler.begin(place.location ?? 0, place.faults);
    const pending: Promise<unknown>[] = [];
    const context = {
      waitUntil: (work: Promise<unknown>) => void pending.push(work),
      passThroughOnException: () => {},
      props: {},
    } as unknown as ExecutionContext;
    const died = new Promise<"died">((resolve) => {
      invocation.onDeath = () => resolve("died");
    });
    let answer: T | undefined;
    const whole = (async () => {
      answer = await run(this.envFor(invocation), context, invocation);
      // Background work may add more; its failures do not affect the response.
      for (let i = 0; i < pending.length; i++) await pending[i]?.catch(() => {});
      return answer;
    })();
    return Promise.race([whole, died])
      .then((result) => (result === "died" && answer !== undefined ? answer : result))
      .finally(() => this.scheduler.end(invocation));
  }

  private envFor(invocation: Invocation): Env {
    const limiter = {
      limit: () =>
        this.scheduler.pass(
          invocation,
          { binding: "RATE_LIMITER", operation: "limit", detail: [], refused: { success: false } },
          async () => ({ success: true }),
        ),
    };
    return {
      ...testEnv,
      DB: d1For(this.scheduler, invocation, testEnv.DB),
      SEARCH_DB: d1For(this.scheduler, invocation, testEnv.SEARCH_DB, "SEARCH_DB"),
      KV: this.kv.bindingFor(invocation),
      KYC_BUCKET: r2For(this.scheduler, invocation, testEnv.KYC_BUCKET),
      OTP_QUEUE: this.queue.bindingFor(invocation),
      TASK_QUEUE: this.queue.bindingFor(invocation),
      SEARCH_QUEUE: this.searchQueue.bindingFor(invocation),
      RATE_LIMITER: limiter as unknown as RateLimit,
      // The write limit is not under test, only a hundred clients of one user.
      USER_RATE_LIMITER: { limit: async () => ({ success: true }) } as RateLimit,
    };
  }
}
