import { type SQL, sql } from "drizzle-orm";
import { runBatch } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Joined } from "./directory.store.ts";
import { SORT_KEYS_PER_MS } from "./search-sort-key.ts";
import type { SearchPattern } from "./search-text.ts";
import { hasBucket } from "./status-buckets.ts";

type SearchDeps = Pick<Deps, "searchDb" | "log"> & Partial<Pick<Deps, "queries">>;

/** Maximum number of entries read beyond those wanted, for frequent patterns that few entries match. */
const MAX_SCANNED = 200;

/** A search of the projection: pattern, filters, and the number of users wanted. */
export interface SearchQuery {
  pattern: SearchPattern;
  buckets: readonly number[] | undefined;
  joined: Joined;
  /** Only sort keys below this one. */
  before: number | undefined;
  /** Number of users wanted from there on. */
  reach: number;
}

/** A user found in the projection. */
export interface Hit {
  sortKey: number;
  userId: string;
}

/**
 * Users who match the pattern, newest first, from the projection, which is seconds behind. Returns up to one more than
 * wanted.
 *
 * @returns the hits, and where the search stopped before it had read all entries; undefined if it has read all or found
 *   more than wanted.
 */
export async function findHits(
  deps: SearchDeps,
  query: SearchQuery,
): Promise<{ hits: Hit[]; scanEnd: number | undefined }> {
  const { reach, pattern } = query;
  const last = MAX_SCANNED + reach;
  const isFit = sql`${fits(pattern)} and removed_at is null and ${hasBucket(sql`status_bucket`, query.buckets)}`;
  const { found } = await onSearch(deps, {
    found: deps.searchDb
      .select({
        sortKey: sql<number>`sort_key`,
        nth: sql<number>`nth`,
        userId: sql<string>`user_id`,
        isFit: sql<number>`is_fit`,
      })
      .from(sql`(${pattern.isRare ? inOneWalk(query, isFit, last) : untilFull(query, isFit, last)})`)
      .limit(reach + 1),
  });
  const hits = found.filter((row) => row.isFit === 1).map(({ sortKey, userId }) => ({ sortKey, userId }));
  const end = found.find(({ nth }) => nth === last)?.sortKey;
  return { hits, scanEnd: hits.length > reach ? undefined : end };
}

/** For a rare pattern: one complete scan, which numbers the entries it reads. */
function inOneWalk(query: SearchQuery, isFit: SQL, last: number): SQL {
  return sql`select scanned.sort_key as sort_key, nth, user_id, ${isFit} as is_fit
    from (select sort_key, row_number() over () as nth from (${scan(query)})) scanned
    left join search_entries on search_entries.sort_key = scanned.sort_key where is_fit or nth = ${sql.raw(String(last))}`;
}

/** For a frequent pattern: the page fills quickly. Only if it does not, the second half scans again for the end. */
function untilFull(query: SearchQuery, isFit: SQL, last: number): SQL {
  const [end, before] = [last, last - 1].map((number) => sql.raw(String(number)));
  return sql`select scanned.sort_key as sort_key, 0 as nth, user_id, 1 as is_fit
    from (${scan(query)}) scanned cross join search_entries on search_entries.sort_key = scanned.sort_key where ${isFit}
    union all select * from (select sort_key, ${end}, '', 0 from (${scan(query)}) limit 1 offset ${before})`;
}

/** The sort keys that may match, newest first; SQLite reads only as many as are needed. */
function scan({ pattern, joined, before, reach }: SearchQuery): SQL {
  const limit = sql.raw(String(MAX_SCANNED + reach));
  // Cast to integers, because FTS5 ignores bounds of another type and scans from the top.
  const from = integer(joined.from === undefined ? undefined : joined.from * SORT_KEYS_PER_MS);
  const ends = [before, joined.to === undefined ? undefined : (joined.to + 1) * SORT_KEYS_PER_MS];
  const to = integer(Math.min(...ends.map((end) => end ?? Number.MAX_SAFE_INTEGER)));
  const isWithin = (key: SQL) => sql`${key} < ${to} ${from ? sql`and ${key} >= ${from}` : sql``}`;
  return pattern.match === undefined
    ? sql`select sort_key from search_entries where ${isWithin(sql.raw("sort_key"))} order by sort_key desc limit ${limit}`
    : sql`select rowid as sort_key from user_search where user_search match ${pattern.match} and ${isWithin(sql.raw("rowid"))}
        order by rowid desc limit ${limit}`;
}

function integer<T extends number | undefined>(value: T): T extends number ? SQL : SQL | undefined {
  return (value === undefined ? undefined : sql`cast(${value} as integer)`) as T extends number ? SQL : SQL | undefined;
}

/** The entry matches the complete pattern, not only the trigrams of its index query. */
function fits({ parts, numbers, words }: SearchPattern): SQL {
  // The words are one parameter, because a text may have more of them than D1 binds parameters.
  const lacksOne = sql`select 1 from json_each(${JSON.stringify(words)}) where instr(text, value) = 0`;
  const conditions = [
    ...(words.length > 0 ? [sql`not exists (${lacksOne})`] : []),
    ...parts.map((part) => sql`instr(text, ${part}) > 0`),
    ...numbers.map((number) => sql`substr(phone_number, 1, ${sql.raw(String(number.length))}) = ${number}`),
  ];
  return sql`(${sql.join(conditions, sql` or `)})`;
}

/** As `runBatch`, on the search database. A batch never contains statements for both databases. */
export function onSearch<T extends Parameters<typeof runBatch>[1]>(deps: SearchDeps, statements: T) {
  return runBatch({ db: deps.searchDb, log: deps.log, ...(deps.queries && { queries: deps.queries }) }, statements);
}
