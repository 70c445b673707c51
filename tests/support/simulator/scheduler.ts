import { seededRandom } from "./random.ts";

/**
 * Fault of a binding call: it throws or hangs before or after it takes effect; `refuse` is the platform's "too many
 * requests"; `stale` makes KV report a value as absent, as up to a minute ago; `die` ends the whole invocation at the
 * call.
 */
export type Fault =
  | "throw-before"
  | "throw-after"
  | "hang-before"
  | "hang-after"
  | "refuse"
  | "stale"
  | "die-before"
  | "die-after";

/** Error message of each binding for too many calls. */
const REFUSALS = {
  D1: "D1_ERROR: D1 DB is overloaded. Too many requests queued.",
  SEARCH_DB: "D1_ERROR: D1 DB is overloaded. Too many requests queued.",
  KV: "KV request failed: 429 Too Many Requests",
  R2: "Reduce your concurrent request rate for the same object. (10058)",
  QUEUE: "Queue sendBatch failed: Too Many Requests",
  RATE_LIMITER: "Too Many Requests",
};

/** One binding call. */
export interface BindingCall {
  invocation: Invocation;
  /** Number of the call within its invocation, from 0. */
  index: number;
  binding: "D1" | "SEARCH_DB" | "KV" | "R2" | "QUEUE" | "RATE_LIMITER";
  operation: string;
  /** Keys, or SQL of the statements. */
  detail: string[];
  /** Whether the response waited for it. */
  beforeResponse: boolean;
  /** Stack of the call, computed only when it is read. */
  origin: Error;
  /** Rows that D1 read and wrote. */
  rowsRead: number;
  rowsWritten: number;
  /** Rows that each statement wrote, in the order of `detail`; empty if D1 did not answer. */
  writtenByStatement: number[];
}

/** One run of a handler: a request, a queue batch or a cron tick, at one location of the network. */
export class Invocation {
  readonly id: number;
  readonly location: number;
  /** The fault of the nth call, if any. */
  readonly faults: (call: BindingCall) => Fault | undefined;
  calls = 0;
  waiting = 0;
  hasAnswered = false;
  state: "running" | "finished" | "dead" = "running";
  onDeath: () => void = () => {};

  constructor(id: number, location: number, faults: (call: BindingCall) => Fault | undefined) {
    this.id = id;
    this.location = location;
    this.faults = faults;
  }

  die(): void {
    this.state = "dead";
    this.onDeath();
  }
}

interface Waiting {
  call: BindingCall;
  release: () => Promise<void>;
}

/** Saved before tests replace the timers, so that deadlines stand still and the scheduler does not. */
const realSetTimeout = globalThis.setTimeout;

/** Microtask turns that an invocation gets to reach its next binding call or its response. */
const MICROTASK_TURNS = 60;
/** Event loop turns after which waiting invocations are released although others are still computing. */
const EVENT_LOOP_TURNS = 20;
/** Number of clock advances for a hanging call before it is clear that no deadline was set. */
const MAX_STANDSTILLS = 50;

/**
 * Holds every binding call until all running invocations wait for one, then releases them one at a time in a seeded
 * random order. There are no real delays: the order of calls is the only notion of time.
 */
export class Scheduler {
  readonly random: () => number;
  readonly log: BindingCall[] = [];
  private readonly waiting: Waiting[] = [];
  private readonly running = new Set<Invocation>();
  private invocations = 0;

  private readonly isSerial: boolean;
  private isHanging = false;
  private standstills = 0;
  /** Advances the clock to the next deadline if a call hangs and nothing else can run; false if no deadline is set. */
  passTime: () => boolean = () => false;

  /** A serial scheduler runs each invocation to its end before the next, without races. */
  constructor(seed: number, isSerial = false) {
    this.random = seededRandom(seed);
    this.isSerial = isSerial;
  }

  begin(location: number, faults: (call: BindingCall) => Fault | undefined = () => undefined): Invocation {
    const invocation = new Invocation(this.invocations++, location, faults);
    this.running.add(invocation);
    return invocation;
  }

  end(invocation: Invocation): void {
    if (invocation.state === "running") invocation.state = "finished";
    this.running.delete(invocation);
  }

  /** Passes a binding call through the gate; `work` makes the real call. */
  pass<T>(
    invocation: Invocation,
    about: Pick<BindingCall, "binding" | "operation" | "detail"> & { stale?: T; refused?: T },
    work: (call: BindingCall) => Promise<T>,
  ): Promise<T> {
    const { stale, refused, ...named } = about;
    const call = {
      origin: new Error("a binding call"),
      invocation,
      index: invocation.calls++,
      beforeResponse: false,
      rowsRead: 0,
      rowsWritten: 0,
      writtenByStatement: [],
      ...named,
    };
    this.log.push(call);
    invocation.waiting += 1;
    return new Promise<T>((resolve, reject) => {
      const release = async () => {
        invocation.waiting -= 1;
        if (invocation.state === "dead") return;
        const fault = invocation.faults(call);
        if (fault === "die-before") return invocation.die();
        if (fault === "throw-before") return reject(new Error("simulated: the call did not arrive"));
        if (fault === "refuse" && refused === undefined) return reject(new Error(REFUSALS[call.binding]));
        if (fault === "refuse") return resolve(refused as T);
        if (fault === "stale" && stale !== undefined) return resolve(stale);
        if (fault === "hang-before") return this.hang();
        const settled = await work(call).then(
          (value) => () => resolve(value),
          (error) => () => reject(error),
        );
        call.beforeResponse = !invocation.hasAnswered;
        if (fault === "die-after") return invocation.die();
        if (fault === "hang-after") return this.hang();
        if (fault === "throw-after") return reject(new Error("simulated: the answer was lost"));
        settled();
      };
      this.waiting.push({ call, release });
    });
  }

  /** Releases calls until every invocation has finished or died. */
  async drain(): Promise<void> {
    for (;;) {
      await this.settle();
      for (const invocation of this.running) if (invocation.state !== "running") this.running.delete(invocation);
      if (this.running.size === 0) break;
      const next = this.take();
      if (next) await next.release();
      else if (this.isHanging) this.standStill();
    }
    this.waiting.length = 0;
  }

  private hang(): void {
    this.isHanging = true;
    this.standstills = 0;
  }

  private standStill(): void {
    if (this.passTime()) return;
    this.standstills += 1;
    if (this.standstills > MAX_STANDSTILLS) throw new Error("a binding call hangs, and nobody set it a deadline");
  }

  private take(): Waiting | undefined {
    const alive = this.waiting.filter(({ call }) => call.invocation.state !== "dead");
    const first = () =>
      alive.reduce((a, b) => (b.call.invocation.id < a.call.invocation.id ? b : a), alive[0] as Waiting);
    const chosen = this.isSerial ? alive[0] && first() : alive[Math.floor(this.random() * alive.length)];
    if (chosen) this.waiting.splice(this.waiting.indexOf(chosen), 1);
    return chosen;
  }

  /** Waits until each running invocation has a pending call, as far as possible. */
  private async settle(): Promise<void> {
    const isSettled = () => [...this.running].every((each) => each.state !== "running" || each.waiting > 0);
    // Wait for all: an invocation with background work still has to respond.
    for (let turn = 0; turn < MICROTASK_TURNS; turn++) await Promise.resolve();
    for (let turn = 0; turn < EVENT_LOOP_TURNS || (this.waiting.length === 0 && !this.isHanging); turn++) {
      if (isSettled()) return;
      await new Promise((resolve) => realSetTimeout(resolve, 0));
      if (this.running.size === 0) return;
    }
  }
}
