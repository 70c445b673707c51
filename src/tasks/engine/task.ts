import type { HomeKey } from "../../platform/data/homes.ts";
import type { Deps } from "../../platform/deps.ts";

/** Outcome of a message: done, retried after a delay in seconds, or permanently failed. */
export type TaskOutcome =
  | { done: true; note: string }
  | { done: false; retryInSeconds: number; note: string }
  | { done: false; isFinal: true; note: string };

/** A queue message as passed to its task. */
export interface TaskEvent {
  /** Event id; equal for all copies of the message. */
  id: string;
  type: string;
  userId: string | null;
  payload: unknown;
  /** When the event was recorded (epoch ms). */
  createdAt: number;
}

/** Work triggered by a queue message; safe to run twice. */
export interface Task {
  /** Stable name, used in logs. */
  name: string;
  /** Event types that the task handles. */
  types: readonly string[];
  /** The user is waiting: retries follow quickly, until the content expires. */
  isUrgent?: boolean;
  /**
   * Delay after each failed attempt in seconds, instead of the default; after the last one the message becomes a dead
   * letter.
   */
  retryDelays?: readonly number[];
  /** Whose data a message concerns, if not that of its `userId`. */
  home?(event: TaskEvent): HomeKey;
  /** If present, `run` gets all messages of a batch at once, except those for which this throws. */
  check?(event: TaskEvent): unknown;
  /** @param deps with an invocation id unique to this run. */
  run(deps: Deps, event: TaskEvent, ...others: TaskEvent[]): Promise<TaskOutcome>;
}
