import { readFileSync } from "node:fs";

/** Tasks and problems in the Worker's log. */
export interface ServerLog {
  /** Number of runs of each `task event_id`. */
  done: Map<string, number>;
  /** Events processed by a task other than the search projection. */
  eventsDone: Set<string>;
  /** Number of error lines and failed tasks by their message, without dead letters. */
  troubles: Map<string, number>;
  deadLetters: number;
  ticks: number;
}

/** Reads the server's log. */
export function readServerLog(path: string): ServerLog {
  const log: ServerLog = { done: new Map(), eventsDone: new Set(), troubles: new Map(), deadLetters: 0, ticks: 0 };
  const count = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const start = line.indexOf("{");
    if (start < 0) {
      if (line !== "") count(log.troubles, line.slice(0, 200));
      continue;
    }
    const entry = parse(line.slice(start));
    if (!entry) count(log.troubles, line.slice(0, 200));
    else if (entry.event === "task" && entry.done) {
      count(log.done, `${entry.task} ${entry.event_id}`);
      if (entry.task !== "update_user_search") log.eventsDone.add(String(entry.event_id));
    } else if (entry.event === "dead_letter") log.deadLetters += 1;
    else if (entry.event === "minute_tick") log.ticks += 1;
    else if (entry.level === "error" || entry.level === "warn") {
      const { event, reason, task, path: of } = entry;
      count(log.troubles, [entry.level, event, task, of, reason].filter(Boolean).join(" ").slice(0, 200));
    }
  }
  return log;
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
