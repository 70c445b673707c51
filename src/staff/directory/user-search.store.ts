import { type SQL, sql } from "drizzle-orm";
import { runBatch } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Joined } from "./directory.store.ts";
import { SORT_KEYS_PER_MS } from "./search-sort-key.ts";
import type { SearchPattern } from "./search-text.ts";
import { hasBucket } from "./status-buckets.ts";

type SearchDeps = Pick<Deps, "searchDb" | "log"> & Partial<Pick<Deps, "queries">>;

/** Entries looked at beyond those wanted, at most: a frequent pattern that few of them fit must end somewhere. */
const MAX_SCANNED = 250;

export interface SearchQuery {
  pattern: SearchPattern;
  facets: readonly number[] | undefined;
  joined: Joined;
  /** Places before this one only. */
  before: number | undefined;
  /** Users wanted, from there on. */
  reach: number;
}

export interface Hit {
  place: number;
  userId: string;
}

/**
 * Who fits the pattern, newest first: as the projection has it, seconds old. Up to one more than is wanted.
 *
 * @returns the hits, and where the search ended without having looked at everybody; undefined where it has, or where there
 *   are more than wanted.
 */
export async function findHits(
  deps: SearchDeps,
  query: SearchQuery,
): Promise<{ hits: Hit[]; scanEnd: number | undefined }> {
  const { reach, pattern } = query;
  const last = MAX_SCANNED + reach;
  const isFit = sql`${fits(pattern)} and removed_at is null and ${hasBucket(sql`facet`, query.facets)}`;
  const { found } = await onSearch(deps, {
    found: deps.searchDb
      .select({
        place: sql<number>`place`,
        nth: sql<number>`nth`,
        userId: sql<string>`user_id`,
        isFit: sql<number>`is_fit`,
      })
      .from(sql`(${pattern.isRare ? inOneWalk(query, isFit, last) : untilFull(query, isFit, last)})`)
      .limit(reach + 1),
  });
  const hits = found.filter((row) => row.isFit === 1).map(({ place, userId }) => ({ place, userId }));
  const end = found.find(({ nth }) => nth === last)?.place;
  return { hits, scanEnd: hits.length > reach ? undefined : end };
}

/** Of a rare pattern the walk of the index is dear and goes to its end: it numbers what it looks at. */
function inOneWalk(query: SearchQuery, isFit: SQL, last: number): SQL {
  return sql`select scanned.place as place, nth, user_id, ${isFit} as is_fit
    from (select place, row_number() over () as nth from (${scan(query)})) scanned
    left join search_entries on search_entries.place = scanned.place where is_fit or nth = ${sql.raw(String(last))}`;
}

/** Of a frequent one the page is full soon; only should it not be, the second half walks again for the end. */
function untilFull(query: SearchQuery, isFit: SQL, last: number): SQL {
  const [end, before] = [last, last - 1].map((number) => sql.raw(String(number)));
  return sql`select scanned.place as place, 0 as nth, user_id, 1 as is_fit
    from (${scan(query)}) scanned cross join search_entries on search_entries.place = scanned.place where ${isFit}
    union all select * from (select place, ${end}, '', 0 from (${scan(query)}) limit 1 offset ${before})`;
}

/** The places that may fit, newest first; SQLite fetches of them what is asked for. */
function scan({ pattern, joined, before, reach }: SearchQuery): SQL {
  const limit = sql.raw(String(MAX_SCANNED + reach));
  // As integers: FTS5 ignores a bound of another type and walks from the top.
  const from = integer(joined.from === undefined ? undefined : joined.from * SORT_KEYS_PER_MS);
  const ends = [before, joined.to === undefined ? undefined : (joined.to + 1) * SORT_KEYS_PER_MS];
  const to = integer(Math.min(...ends.map((end) => end ?? Number.MAX_SAFE_INTEGER)));
  const isWithin = (place: SQL) => sql`${place} < ${to} ${from ? sql`and ${place} >= ${from}` : sql``}`;
  return pattern.match === undefined
    ? sql`select place from search_entries where ${isWithin(sql.raw("place"))} order by place desc limit ${limit}`
    : sql`select rowid as place from user_search where user_search match ${pattern.match} and ${isWithin(sql.raw("rowid"))}
        order by rowid desc limit ${limit}`;
}

function integer<T extends number | undefined>(value: T): T extends number ? SQL : SQL | undefined {
  return (value === undefined ? undefined : sql`cast(${value} as integer)`) as T extends number ? SQL : SQL | undefined;
}

/** Holds for entries that the pattern fits, whichever trigrams they have. */
function fits({ parts, numbers }: SearchPattern): SQL {
  const conditions = [
    ...parts.map((part) => sql`instr(text, ${part}) > 0`),
    ...numbers.map((number) => sql`substr(phone_number, 1, ${sql.raw(String(number.length))}) = ${number}`),
  ];
  return sql`(${sql.join(conditions, sql` or `)})`;
}

/** As `runBatch`, on the search database: statements of the two never share a trip. */
export function onSearch<T extends Parameters<typeof runBatch>[1]>(deps: SearchDeps, statements: T) {
  return runBatch({ db: deps.searchDb, log: deps.log, ...(deps.queries && { queries: deps.queries }) }, statements);
}
