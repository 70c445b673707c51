import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { hashForOtpLimits } from "../../src/auth/deletion/former-identity.ts";
import { buildDeps } from "../../src/build-deps.ts";
import worker from "../../src/index.ts";
import { publishDueEvents } from "../../src/platform/data/publish.ts";
import type { Deps } from "../../src/platform/deps.ts";
import { type Answer, type CallOptions, call, newIp, testEnv } from "../support/client.ts";
import { seededRandom } from "../support/simulator/random.ts";
import type { TaskMessage } from "../support/tasks.ts";
import type { Directory, Key } from "./directory.ts";
import { Mover, type Plan, plan } from "./mover.ts";
import { Router, type Way } from "./router.ts";

/** A message as its queue has it. */
export interface Sent extends TaskMessage {
  queue: "tasks" | "search";
}

/** The databases of the simulation. */
export interface Databases {
  homes: Readonly<Record<"first" | "second", D1Database>>;
  directory: Directory;
}

/** Here, a call that a home refuses is repeated as a whole, so it would count twice towards the writes of a minute. */
const unlimited: Pick<Env, "USER_RATE_LIMITER"> = { USER_RATE_LIMITER: { limit: async () => ({ success: true }) } };

/** The real Worker with two homes: routes calls, moves users, and keeps what was sent to the queues. */
export class Service {
  readonly router: Router;
  readonly mover: Mover;
  readonly directory: Directory;
  readonly homes: readonly D1Database[];
  readonly random: () => number;
  /** Everything that was sent, by user, and by queue and id. */
  private readonly sent = new Map<string, Map<string, Sent>>();

  constructor({ homes, directory }: Databases, seed: number, given: Plan = plan) {
    this.directory = directory;
    this.homes = Object.values(homes);
    this.router = new Router(directory, homes, "first");
    this.mover = new Mover(directory, this.router, given);
    this.random = seededRandom(seed);
  }

  /** The bindings of an invocation in a home. */
  envOf(db: D1Database): Env {
    const bindingOf = (queue: Sent["queue"]) => ({
      sendBatch: async (messages: Iterable<{ body: TaskMessage }>) => {
        for (const { body } of messages) this.keep({ ...body, queue });
      },
    });
    const queues = { TASK_QUEUE: bindingOf("tasks"), SEARCH_QUEUE: bindingOf("search") };
    return { ...testEnv, ...unlimited, ...(queues as unknown as Pick<Env, keyof typeof queues>), DB: db };
  }

  private keep(message: Sent): void {
    const user = message.user_id ?? "";
    const own = this.sent.get(user) ?? new Map<string, Sent>();
    this.sent.set(user, own.set(`${message.queue} ${message.event_id}`, message));
  }

  /** Calls the Worker in the key's home. */
  call(key: Key, method: string, path: string, options: CallOptions, way: Way = {}): Promise<Answer> {
    return this.router.run(key, (db) => this.callIn(db, method, path, options), way);
  }

  /** Calls the Worker in a home. */
  callIn(db: D1Database, method: string, path: string, options: CallOptions): Promise<Answer> {
    return call(method, path, { ip: newIp(), ...options, env: this.envOf(db) });
  }

  /** Runs work that is not a request, with the dependencies of an invocation. */
  async invoke<T>(db: D1Database, work: (deps: Deps) => Promise<T>): Promise<T> {
    const context = createExecutionContext();
    try {
      return await work(await buildDeps(this.envOf(db), context, "homes"));
    } finally {
      await waitOnExecutionContext(context);
    }
  }

  /**
   * Delivers a message in the home of its user.
   *
   * @throws Error if its task fails there.
   */
  async deliver(message: Sent, way: Way = {}): Promise<void> {
    const { queue, ...body } = message;
    const answer = await this.router.run(
      { user: body.user_id ?? "" },
      async (db) => {
        const context = createExecutionContext();
        let status = 503;
        const ack = () => {
          status = 200;
        };
        const own = {
          id: body.event_id,
          timestamp: new Date(),
          attempts: 1,
          body: structuredClone(body),
          ack,
          retry() {},
        };
        const batch = { queue, messages: [own], ackAll() {}, retryAll() {} } as unknown as MessageBatch;
        await worker.queue(batch, this.envOf(db), context);
        await waitOnExecutionContext(context);
        return { status };
      },
      way,
    );
    if (answer.status !== 200) throw new Error(`${body.type} of ${body.user_id} failed`);
  }

  /** Excludes earlier codes of the identifier from the sending limits, which allow fewer than are requested here. */
  async forgetSends(identifier: string, way: Way = {}): Promise<void> {
    const hash = await this.invoke(testEnv.DB, (deps) => hashForOtpLimits(deps, identifier));
    const change = "update otp_challenges set network_class = 'familiar', mailbox = null where identifier in (?, ?)";
    await this.router.run(
      { identifier },
      (db) =>
        db.batch([db.prepare(change).bind(identifier, hash)]).then(
          () => ({ status: 200 }),
          () => ({ status: 503 }),
        ),
      way,
    );
  }

  /** Sends the events in the outboxes of all homes, as the cron ticks do once their leases have expired. */
  async sendWaiting(): Promise<void> {
    for (const home of this.homes) {
      await home.prepare("update outbox set leased_until = 0").run();
      await this.invoke(home, publishDueEvents);
    }
  }

  /** The messages to a queue about a user. */
  messagesOf(userId: string, queue: Sent["queue"], type: string): Sent[] {
    const own = this.sent.get(userId)?.values() ?? [];
    return [...own].filter((message) => message.queue === queue && message.type === type);
  }
}
