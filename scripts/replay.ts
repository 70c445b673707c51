import { quote } from "./inline.ts";

/** Which dead letters are meant; what is absent does not matter. */
export interface DeadLetterFilter {
  /** Types of events; none of them is meant by an empty list. */
  types?: readonly string[];
  /** Milliseconds since the epoch: letters of this instant and later. */
  since?: number;
  /** Milliseconds since the epoch: letters before this instant. */
  until?: number;
  userId?: string;
}

/** The condition that the filter sets, as SQL. */
export function conditionOf({ types, since, until, userId }: DeadLetterFilter): string {
  const conditions = ["1"];
  if (types) conditions.push(`type in (${types.map(quote).join(", ")})`);
  if (since !== undefined) conditions.push(`created_at >= ${since}`);
  if (until !== undefined) conditions.push(`created_at < ${until}`);
  if (userId !== undefined) conditions.push(`user_id = ${quote(userId)}`);
  return conditions.join(" and ");
}

/** Letters that can be put back: those with an event and a payload that nobody has put back. */
const REPLAYABLE = "replayed_at is null and type is not null and event_id is not null";

/** Puts the letters into the outbox, as events that are due; the same event of several letters is put there once. */
const putBack = (letters: string, payload = "payload") =>
  `insert into outbox (id, type, user_id, payload, queue, created_at, leased_until, attempts)
      select event_id, type, user_id, ${payload}, 'tasks', created_at, 0, 0 from ${letters}
      on conflict (id) do update set payload = excluded.payload, queue = 'tasks', leased_until = 0, attempts = 0, sent_at = null`;

const markReplayed = (ids: string) =>
  `update dead_letters set replayed_at = cast(unixepoch('subsec') * 1000 as integer) where id in (${ids})
      returning type`;

/**
 * The statements that put a dead letter back into the outbox, once; the next cron tick relays it. Both arguments are SQL:
 * the letter's id, and its payload, mended or the column itself. The last statement gives a row where it was put back.
 */
export function replayStatements(id: string, payload = "payload"): string {
  const letter = `dead_letters where id = ${id} and ${REPLAYABLE} and ${payload} is not null`;
  return `${putBack(letter, payload)};\n    ${markReplayed(`select id from ${letter}`)}`;
}

/**
 * The statements that put the oldest letters of the filter back into the outbox, at most `limit`, each once; to be run in
 * one transaction. The second gives a row for each letter, the third how many more the filter means, up to 100,000.
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
