import { and, eq, gte, inArray, lt, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { deadLetters } from "../src/db/platform-schema.ts";
import { isReplayable, isReplayableWith, replayLetters } from "../src/platform/data/dead-letter.store.ts";
import { inline } from "./inline.ts";

// Builds the statements only; wrangler runs them.
const db = drizzle({} as D1Database) as Parameters<typeof replayLetters>[0]["db"];
const deps = { db, now: () => Date.now() };

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
export function conditionOf({ types, since, until, userId }: DeadLetterFilter): SQL {
  const { createdAt, type } = deadLetters;
  const conditions = [
    types && inArray(type, [...types]),
    since === undefined ? undefined : gte(createdAt, since),
    until === undefined ? undefined : lt(createdAt, until),
    userId === undefined ? undefined : eq(deadLetters.userId, userId),
  ];
  return and(sql`1`, ...conditions) ?? sql`1`;
}

/** SQL that lists dead letters. @param page what follows WHERE: condition, order and limit. */
export function listStatement(page: SQL): string {
  const columns = {
    ...(({ id, queue, type, userId, reason, trace, attempts, payload }) => ({
      id,
      queue,
      type,
      user_id: userId,
      reason,
      trace,
      attempts,
      payload,
    }))(deadLetters),
    at: sql`datetime(created_at / 1000, 'unixepoch')`.as("at"),
    replayed: sql`replayed_at is not null`.as("replayed"),
    discarded: sql`discarded_at is not null`.as("discarded"),
  };
  return inline(db.select(columns).from(deadLetters).where(page).toSQL());
}

const textsOf = ({ putBack, replayed }: ReturnType<typeof replayLetters>): [string, string] => [
  inline(putBack.toSQL()),
  inline(replayed.toSQL()),
];

/**
 * Statements, for one transaction, that put a dead letter back into the outbox, once; the next cron tick publishes it. The
 * second returns a row if the letter was put back.
 *
 * @param payload the corrected payload, if it is not the letter's own.
 */
export function replayStatements(id: string, payload?: string): [string, string] {
  const isLetter = eq(deadLetters.id, id);
  return payload === undefined
    ? textsOf(replayLetters(deps, sql`${isLetter} and ${isReplayable}`))
    : textsOf(replayLetters(deps, sql`${isLetter} and ${isReplayableWith}`, sql`${payload}`));
}

/**
 * Statements, for one transaction, that put the oldest dead letters of the filter back into the outbox, at most
 * `limit`, each once. The second returns a row per letter, the third the number that remain, up to 100,000.
 */
export function bulkReplayStatements(filter: DeadLetterFilter, limit: number): [string, string, string] {
  const meant = sql`${deadLetters} where ${conditionOf(filter)} and ${isReplayable}`;
  const page = sql`id in (select id from ${meant} order by created_at, id limit ${limit})`;
  return [
    ...textsOf(replayLetters(deps, sql`${page} and ${isReplayable}`)),
    inline(
      db
        .select({ more: sql<number>`count(*)`.as("more") })
        .from(sql`(select 1 from ${meant} limit 100000)`)
        .toSQL(),
    ),
  ];
}
