import type { Answer, CallOptions } from "../support/client.ts";
import type { Scope } from "../support/invariants.ts";
import type { FetchHandler, Simulation } from "../support/simulator/simulation.ts";

export interface Request {
  method: string;
  path: string;
  options: CallOptions;
}

/** A message as one of the queues brings it. */
export interface Message {
  queue: string;
  body: unknown;
  attempts?: number;
}

/** A flow that is ready to run once, on people of its own. */
export interface Run {
  /** Whose state must come out as in a run without faults. */
  scope: Scope;
  /** What the client sends; instead of it, what a queue brings, or work of the Worker's own. */
  request?: Request;
  messages?: Message[];
  /** As it is called again by nobody: the cron makes up for it. */
  work?: (simulation: Simulation, place: Parameters<Simulation["tick"]>[1]) => Promise<void>;
  /** Who answers the request, where that is not the Worker's own handler. */
  handler?: FetchHandler;
  /** Status of the answer; 200 where absent. */
  success?: number;
  /** What a repetition may be answered where the first call took effect, or may have. */
  repeated?: readonly number[];
  /** What the client sends where a repetition is refused with 400, since what it sent works once at somebody else's. */
  anew?: () => Promise<CallOptions>;
  /** Tells a success from an answer of the same status that reports a failure, such as a redirect with an error. */
  isFailure?: (answer: Answer) => boolean;
  /** Called with every success, when it came; undefined where there is no request. */
  onSuccess?: (answer: Answer) => Promise<void>;
  /** Called when all queues are empty. */
  afterwards?: () => Promise<void>;
}

/** A row of the battery. */
export interface Flow {
  name: string;
  /** Parts of the outcome that a repetition may well double, since each call is an act of its own. */
  mayRepeat?: RegExp;
  /** A repetition may come to nothing, where the first call used up what works once and gave nothing for it. */
  mayLack?: boolean;
  /** Statuses that a call with this fault may have beside success and 503. */
  mayAnswer?: (kind: string) => readonly number[];
  /** It leaves no trace in what is compared. */
  changesNothing?: boolean;
  /** What it does, it does for everybody: each run is looked at before the next. */
  isAlone?: boolean;
  /** Hours pass before the outcome is looked at, so that sweeps take place. */
  isSwept?: boolean;
  /** What is the same in every run, such as a provider; called once. */
  open: () => Promise<{ env?: Partial<Env>; prepare: () => Promise<Run> }>;
}

/** A flow whose runs share nothing. */
export const flow = (name: string, prepare: () => Promise<Run>, more: Partial<Flow> = {}): Flow => ({
  name,
  open: async () => ({ prepare }),
  ...more,
});

/** The flow, which leaves no trace in what is compared: it reads, or what it does is looked at afterwards. */
export const traceless = (plain: Flow): Flow => ({ ...plain, changesNothing: true });

/** The flow, and the flow with an Idempotency-Key: a repetition under the key always succeeds. */
export function withAndWithoutKey(plain: Flow): Flow[] {
  const open = async () => {
    const { prepare, ...rest } = await plain.open();
    const keyed = async (): Promise<Run> => {
      const { request, repeated: _, ...run } = await prepare();
      if (!request) throw new Error("only a request has a key");
      const headers = { ...request.options.headers, "Idempotency-Key": crypto.randomUUID() };
      return { ...run, request: { ...request, options: { ...request.options, headers } } };
    };
    return { ...rest, prepare: keyed };
  };
  const { mayRepeat: _, ...strict } = plain;
  return [plain, { ...strict, name: `${plain.name} with a key`, open }];
}
