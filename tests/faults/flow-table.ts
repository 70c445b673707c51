import type { Answer, CallOptions } from "../support/client.ts";
import type { Scope } from "../support/invariants.ts";
import type { FetchHandler, Simulation } from "../support/simulator/simulation.ts";

export interface Request {
  method: string;
  path: string;
  options: CallOptions;
}

/** A queue message. */
export interface Message {
  queue: string;
  body: unknown;
  attempts?: number;
}

/** A flow prepared for one run, with its own users. */
export interface Run {
  /** Users whose final state must equal that of a run without faults. */
  scope: Scope;
  /** The client's request. Alternatively `messages` for a queue or other `work` of the Worker. */
  request?: Request;
  messages?: Message[];
  /** Work that is not repeated by a client; the cron makes up for it. */
  work?: (simulation: Simulation, place: Parameters<Simulation["tick"]>[1]) => Promise<void>;
  /** Handler of the request; the Worker's own by default. */
  handler?: FetchHandler;
  /** Expected status; 200 by default. */
  success?: number;
  /** Statuses allowed for a repeated call if the first one took effect or may have. */
  repeated?: readonly number[];
  /**
   * New request of the client after a repeated call was refused with 400, because its credential from a third party
   * works only once.
   */
  anew?: () => Promise<CallOptions>;
  /** Tells a success from an answer of the same status that reports a failure, such as a redirect with an error. */
  isFailure?: (answer: Answer) => boolean;
  /** Called with every successful response; undefined without a request. */
  onSuccess?: (answer: Answer) => Promise<void>;
  /** Called when all queues are empty. */
  afterwards?: () => Promise<void>;
}

/** A flow of the fault tests. */
export interface Flow {
  name: string;
  /** Parts of the footprint that a repeated call may duplicate, because each call is a separate action. */
  mayRepeat?: RegExp;
  /** A repeated call may have no effect, because the first one consumed a single-use credential without success. */
  mayLack?: boolean;
  /** Statuses allowed with this fault besides success and 503. */
  mayAnswer?: (kind: string) => readonly number[];
  /** The flow does not change the compared state. */
  changesNothing?: boolean;
  /** The flow affects all users, so each run is checked before the next. */
  isAlone?: boolean;
  /** Hours pass before the outcome is checked, so that sweeps run. */
  isSwept?: boolean;
  /** Sets up what all runs share, such as a provider; called once. */
  open: () => Promise<{ env?: Partial<Env>; prepare: () => Promise<Run> }>;
}

/** Creates a flow whose runs share nothing. */
export const flow = (name: string, prepare: () => Promise<Run>, more: Partial<Flow> = {}): Flow => ({
  name,
  open: async () => ({ prepare }),
  ...more,
});

/** Marks a flow that does not change the compared state: it only reads, or its effect is checked afterwards. */
export const traceless = (plain: Flow): Flow => ({ ...plain, changesNothing: true });

/** Returns the flow without and with an Idempotency-Key; a call repeated with its key always succeeds. */
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
