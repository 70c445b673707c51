import type { Deps } from "../../platform/deps.ts";

/** What a task says of one message: it is done with, must come again in so many seconds, or will never be served. */
export type TaskOutcome =
  | { done: true; note: string }
  | { done: false; retryInSeconds: number; note: string }
  | { done: false; isFinal: true; note: string };

/** A message as its task gets it. */
export interface TaskEvent {
  /** The same for every copy of the message. */
  id: string;
  type: string;
  userId: string | null;
  payload: unknown;
  /** When its cause took place. */
  createdAt: number;
}

/** Work that a queue message asks for; safe to run twice. */
export interface Task {
  /** As the contract names it. */
  name: string;
  /** The events that ask for it. */
  types: readonly string[];
  /** A person waits for it: tries come soon after each other, until what it carries expires. */
  isUrgent?: boolean;
  /** Seconds to wait after each failed try, instead of the usual growth; after the last one it is a dead letter. */
  retryDelays?: readonly number[];
  /** Where there is one, `run` gets all messages of a batch at once, but those that this throws for. */
  check?(event: TaskEvent): unknown;
  /** @param deps with an attempt id of this try's own. */
  run(deps: Deps, event: TaskEvent, ...others: TaskEvent[]): Promise<TaskOutcome>;
}
