import { urgencySql } from "../src/db/platform-schema.ts";
import { quote } from "./inline.ts";

/** Selects dead letters; absent members match all. */
export interface DeadLetterFilter {
  /** Event types; an empty list matches nothing. */
  types?: readonly string[];
  /** Epoch milliseconds, inclusive. */
  since?: number;
  /** Epoch milliseconds, exclusive. */
  until?: number;
  userId?: string;
}

/** The filter as a SQL condition. */
export function conditionOf({ types, since, until, userId }: DeadLetterFilter): string {
  const conditions = ["1"];
  if (types) conditions.push(`type in (${types.map(quote).join(", ")})`);
  if (since !== undefined) conditions.push(`created_at >= ${since}`);
  if (until !== undefined) conditions.push(`created_at < ${until}`);
  if (userId !== undefined) conditions.push(`user_id = ${quote(userId)}`);
  return conditions.join(" and ");
}

/** Dead letters that can be replayed: they have an event and have not been replayed. */
const REPLAYABLE = "replayed_at is null and type is not null and event_id is not null";

/** Inserts the letters into the outbox as due events; an event with several dead letters is inserted once. */
const putBack = (letters: string, payload = "payload") =>
  `insert into outbox (urgency, id, type, user_id, payload, queue, created_at, leased_until, attempts)
      select ${urgencySql("type")}, event_id, type, user_id, ${payload}, 'tasks', created_at, 0, 0 from ${letters}
      on conflict (urgency, id) do update set payload = excluded.payload, queue = 'tasks', leased_until = 0, attempts = 0`;

const markReplayed = (ids: string) =>
  `update dead_letters set replayed_at = cast(unixepoch('subsec') * 1000 as integer) where id in (${ids})
      returning type`;

/**
 * Statements that put a dead letter back into the outbox, once; the next cron tick publishes it. Both arguments are
 * SQL: the letter's id, and its payload, either corrected or the column itself. The last statement returns a row if the
 * letter was put back.
 */
export function replayStatements(id: string, payload = "payload"): string {
  const letter = `dead_letters where id = ${id} and ${REPLAYABLE} and ${payload} is not null`;
  return `${putBack(letter, payload)};\n    ${markReplayed(`select id from ${letter}`)}`;
}

/**
 * Statements, for one transaction, that put the oldest dead letters of the filter back into the outbox, at most
 * `limit`, each once. The second returns a row per letter, the third the number that remain, up to 100,000.
 */
export function bulkReplayStatements(filter: DeadLetterFilter, limit: number): [string, string, string] {
  const meant = `dead_letters where ${conditionOf(filter)} and ${REPLAYABLE} and payload is not null`;
  const page = `order by created_at, id limit ${limit}`;
  return [
    putBack(`(select * from ${meant} ${page}) where true`),
    markReplayed(`select id from ${meant} ${page}`),
    `select count(*) as more from (select 1 from ${meant} limit 100000)`,
  ];
}
