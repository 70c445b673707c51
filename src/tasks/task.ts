import type { Deps } from "../platform/deps.ts";

/** What a task says of one message: it is done with, or must come again in so many seconds. */
export type TaskOutcome = { done: true; note: string } | { done: false; retryInSeconds: number; note: string };

/** Work that a queue message asks for; safe to run twice. */
export interface Task {
  /** The event's `type`. */
  type: string;
  /** A person waits for it: tries come soon after each other, until what it carries expires. */
  isUrgent?: boolean;
  run(deps: Deps, event: { id: string; payload: unknown }): Promise<TaskOutcome>;
}
