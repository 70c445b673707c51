import { sql } from "drizzle-orm";
import { isWaiting } from "../../src/platform/data/dead-letter.store.ts";
import { tasks } from "../../src/tasks/engine/registry.ts";
import { fail, query, queryAll } from "../d1.ts";
import {
  bulkReplayStatements,
  conditionOf,
  type DeadLetterFilter,
  listStatement,
  replayStatements,
} from "../replay.ts";

/** Command-line options that select dead letters. */
export interface FilterOptions {
  type?: string | undefined;
  task?: string | undefined;
  /** Epoch milliseconds. */
  since?: number | undefined;
  until?: number | undefined;
  user?: string | undefined;
}

interface Target {
  remote: boolean;
}

const MAX_PAGE = 500;
const MAX_REPLAYED = 10_000;

/** The filter that the options describe. Exits with a message if an option is invalid. */
export function filterOf({ type, task, since, until, user }: FilterOptions): DeadLetterFilter {
  const known = tasks.find(({ name }) => name === task);
  if (task !== undefined && !known) fail(`Unknown task: ${task}. Tasks: ${tasks.map(({ name }) => name).join(", ")}`);
  const types = known ? known.types.filter((each) => type === undefined || each === type) : type && [type];
  if (types && types.length === 0) fail(`${task} does not handle ${type}. It handles: ${known?.types.join(", ")}.`);
  return {
    ...(types && { types }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
    ...(user !== undefined && { userId: user.toLowerCase() }),
  };
}

/** The number, at most `max`; `usual` if it is absent. */
function countOf(option: string, count: number | undefined, usual: number, max: number): number {
  if (count !== undefined && count > max) fail(`${option} must be a number from 1 to ${max}.`);
  return count ?? usual;
}

/** Prints a page of dead letters, newest first, and how to get the next page. */
export function listDeadLetters(
  filter: DeadLetterFilter,
  page: { limit: number | undefined; before: string | undefined; open: boolean },
  target: Target,
): void {
  const limit = countOf("--limit", page.limit, 50, MAX_PAGE);
  const after =
    page.before === undefined
      ? sql`1`
      : sql`(created_at, id) < (select created_at, id from dead_letters where id = ${page.before})`;
  const letters = query(
    listStatement(
      sql`${conditionOf(filter)} and ${after} and ${page.open ? isWaiting : sql`1`}
        order by created_at desc, id desc limit ${limit + 1}`,
    ),
    target,
  );
  if (letters.length === 0) console.log(page.before === undefined ? "No dead letters." : "No more dead letters.");
  const shown = letters.slice(0, limit);
  for (const { id, at, queue, type, user_id, reason, trace, attempts, payload, replayed, discarded } of shown) {
    console.log(
      `${id}  ${at} UTC  ${queue}  ${type ?? "?"}  ${attempts} attempts${replayed ? "  (replayed)" : discarded ? "  (discarded)" : ""}`,
    );
    console.log(`  ${reason}\n  ${user_id ? `user ${user_id}\n  ` : ""}${payload ?? "(payload not kept)"}`);
    if (trace) console.log(`  ${String(trace).replaceAll("\n", "\n  ")}`);
  }
  if (letters.length > limit) console.log(`For the next page, add --before ${shown.at(-1)?.id} to the same command.`);
}

/** Puts one dead letter back into the outbox, once; the next cron tick publishes it. */
export function replayOne(id: string, payload: string | undefined, target: Target): void {
  if (payload !== undefined) {
    try {
      JSON.parse(payload);
    } catch {
      fail("--payload must be JSON.");
    }
  }
  const [replayed] = query(replayStatements(id, payload).join(";\n"), target);
  if (!replayed)
    fail(
      "Not replayed: there is no such dead letter, it was already replayed or discarded, or it has no type or payload. Set the payload with --payload JSON.",
    );
  console.log(`${replayed.type} will be sent again within a minute.`);
}

/** Puts the dead letters of the filter back into the outbox, each once, oldest first. */
export function replayMany(
  filter: DeadLetterFilter,
  options: { limit: number | undefined; dryRun: boolean },
  target: Target,
): void {
  const limit = countOf("--limit", options.limit, 1_000, MAX_REPLAYED);
  const [putBack, marked, counted] = bulkReplayStatements(filter, limit);
  const [rows = [], [rest] = []] = options.dryRun
    ? [[], ...queryAll([counted], target)]
    : queryAll([putBack, marked, counted], target).slice(1);
  const more = Number(rest?.more ?? 0);
  if (options.dryRun) {
    console.log(`${more} dead letters would be replayed, at most ${limit} per command.`);
    return;
  }
  for (const [type, letters] of Map.groupBy(rows, (row) => String(row.type)))
    console.log(`${String(letters.length).padStart(6)}  ${type}`);
  console.log(
    `${rows.length} replayed; they will be sent within a minute.${more > 0 ? ` ${more} remain: run the command again.` : ""}`,
  );
}
