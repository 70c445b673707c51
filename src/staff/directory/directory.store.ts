import { type SQL, sql } from "drizzle-orm";
import { userCounts, type users } from "../../db/user-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { runStaffBatch } from "../staff-batch.store.ts";
import type { MatchedField } from "./search-match.ts";
import { EVERY_BUCKET } from "./status-buckets.ts";

type DirectoryDeps = Pick<Deps, "db" | "now" | "log" | "config">;

/** What a list shows of a user beside the listed fields, if it is expanded. */
export interface UserSummary {
  fullName: string | null;
  email: string | null;
  phoneNumber: string | null;
  kycStatus: (typeof users.$inferSelect)["kycStatus"];
  role: (typeof users.$inferSelect)["role"];
  lastLogin: number | null;
}

/** The columns of a `UserSummary`, for a FROM clause with `users` and `profiles`. */
export const summary = {
  fullName: sql<string | null>`profiles.full_name`.as("full_name"),
  email: sql<string | null>`users.email`.as("email"),
  phoneNumber: sql<string | null>`users.phone_number`.as("phone_number"),
  kycStatus: sql<UserSummary["kycStatus"]>`users.kyc_status`.as("kyc_status"),
  role: sql<UserSummary["role"]>`users.role`.as("role"),
  lastLogin: sql<number | null>`users.last_login`.as("last_login"),
};

/** A row of the directory, with only the listed fields. */
export interface ListedUser {
  id: string;
  username: string;
  status: (typeof users.$inferSelect)["status"];
  dateJoined: number;
  /** The field by which a search found the user; absent without a search. */
  matched?: MatchedField;
  /** Absent unless the list is expanded. */
  summary?: UserSummary;
}

/** A user's position in an ordering: the sort key, and the id to break ties. */
export type Position = readonly [key: string | number, id: string];

/** The field and direction that a list is sorted by. */
export interface Order {
  by: keyof typeof keys;
  isDescending: boolean;
}

/**
 * The column of each ordering. `isWhole`: an index covers all users in this order. `isUnique`: no two users have the
 * same key.
 */
const keys = {
  date_joined: { column: "date_joined", isWhole: true, isUnique: false },
  last_login: { column: "last_login_order", isWhole: false, isUnique: false },
  username: { column: "username_key", isWhole: true, isUnique: true },
} as const;

/** A range of joining times in epoch ms, both ends inclusive. */
export interface Joined {
  from: number | undefined;
  to: number | undefined;
}

type Bounds = { [K in keyof Joined]?: Joined[K] };

/** Filters, order and position of a page of users. */
export interface DirectoryPage {
  order: Order;
  /** Undefined for all. */
  buckets: readonly number[] | undefined;
  joined: Joined;
  size: number;
  offset: number;
  after: Position | undefined;
  /** Whether to read the summary of each user, too. */
  isExpanded: boolean;
}

/** Maximum number of users read for one page if dates filter an ordering without an index. */
const MAX_SCANNED = 400;
/** SQLite's limit for the terms of a compound SELECT, as D1 sets it. */
const MAX_PARTS = 5;

/**
 * A page of users and the number of users that match the filter, dates aside. An index keeps the users of each status
 * bucket sorted; the page is merged from these, so that every filter reads little more than the page.
 *
 * @returns `found` with up to one user more than the page; `scannedTo`, where the search for a page stopped at its
 *   limit.
 */
export async function listUsers(deps: DirectoryDeps, caller: StaffClaims, page: DirectoryPage) {
  const { order, buckets, joined, size, offset, isExpanded } = page;
  const { isWhole } = keys[order.by];
  const isScan = order.by !== "date_joined" && (joined.from !== undefined || joined.to !== undefined);
  const parts = isWhole && !buckets ? [undefined] : (buckets ?? EVERY_BUCKET);
  const merged = merge(
    parts.map((bucket) => part(order, bucket, isScan ? {} : joined, page)),
    order,
  );
  const isLast = sql.raw(`nth = ${MAX_SCANNED + offset}`);
  // `place` numbers the matching users. An OFFSET clause would also skip the last row read if few users match.
  const isBeyondOffset = sql.raw(`place > ${offset}`);
  // The limit is 0 unless the caller is staff, so that other callers read no rows of users.
  const cut = (isStaff: SQL, count: number) =>
    sql`${merged} limit case when ${isStaff} then ${sql.raw(String(count))} else 0 end`;
  const candidates = (isStaff: SQL) =>
    isScan
      ? sql`(select * from (select *, row_number() over () as nth,
            sum(${isJoinedWithin(joined)}) over (rows unbounded preceding) as place
            from (${cut(isStaff, MAX_SCANNED + offset)}))
          where (${isJoinedWithin(joined)} and ${isBeyondOffset}) or ${isLast} ${sql.raw(`limit ${size + 1}`)})`
      : sql`(${cut(isStaff, size + 1)} ${sql.raw(`offset ${offset}`)})`;
  const { counts, rows } = await runStaffBatch(deps, caller, ({ isStaff }) => ({
    counts: deps.db.select({ byStatusBucket: userCounts.byStatusBucket }).from(userCounts),
    rows: deps.db
      .select({
        id: sql<string>`listed.id`.as("id"),
        username: sql<string>`listed.username`.as("username"),
        status: sql<ListedUser["status"]>`listed.status`.as("status"),
        dateJoined: sql<number>`listed.date_joined`.as("date_joined"),
        key: sql<string | number>`listed.sort_key`.as("sort_key"),
        fits: sql<number>`${
          isScan ? sql`${isJoinedWithin(joined, "listed.")} and listed.${isBeyondOffset}` : sql`true`
        }`.as("fits"),
        isLast: sql<number>`${isScan ? sql`listed.${isLast}` : sql`false`}`.as("is_last"),
        ...(isExpanded ? summary : {}),
      })
      .from(
        sql`${candidates(isStaff)} listed ${
          isExpanded
            ? sql`cross join users on users.id = listed.id
          left join profiles on profiles.user_id = listed.id`
            : sql``
        }`,
      ),
  }));
  const found = rows.filter(({ fits }) => fits === 1);
  // The last row that was read may fit, too.
  const last = rows.find((row) => row.isLast === 1);
  return {
    total: (buckets ?? EVERY_BUCKET).reduce((sum, bucket) => sum + (counts[0]?.byStatusBucket[bucket] ?? 0), 0),
    found: found.map(({ key, fits: _, isLast: __, id, username, status, dateJoined, ...rest }) => ({
      user: { id, username, status, dateJoined, ...(isExpanded ? { summary: rest as UserSummary } : {}) },
      position: [key, id] as Position,
    })),
    scannedTo: last && found.length <= size ? ([last.key, last.id] as Position) : undefined,
  };
}

/** The user joined within the range. The values are written into the SQL, because bound parameters are limited. */
export function isJoinedWithin({ from, to }: Bounds, table: "" | "listed." = ""): SQL {
  const bounds = [
    from === undefined ? [] : [`${table}date_joined >= ${from}`],
    to === undefined ? [] : [`${table}date_joined <= ${to}`],
  ];
  return sql.raw(bounds.flat().join(" and ") || "true");
}

/** Selects the users of one status bucket, or all users, in order, after the position. */
function part(order: Order, bucket: number | undefined, joined: Bounds, { after }: DirectoryPage): SQL {
  const { column, isUnique } = keys[order.by];
  const compare = sql.raw(order.isDescending ? "<" : ">");
  const key = sql.raw(column);
  // Numbers are written into the SQL, because each bucket repeats the position and bound parameters are limited.
  const start = (value: string | number) => (typeof value === "number" ? sql.raw(String(value)) : sql`${value}`);
  const isIn = bucket === undefined ? sql`true` : sql.raw(`status_bucket = ${bucket}`);
  const isBehind = ([at, id]: Position) =>
    isUnique ? sql`${key} ${compare} ${start(at)}` : sql`(${key}, id) ${compare} (${start(at)}, ${id})`;
  // The position lies within the dates and replaces their bound: SQLite might seek by the wider of two.
  const bounds = after ? (order.isDescending ? { from: joined.from } : { to: joined.to }) : joined;
  return sql`select * from (select id, username, status, date_joined, ${key} as sort_key from users
    where ${isIn} and ${isJoinedWithin(bounds)} and ${after ? isBehind(after) : sql`true`} order by ${sorting(order, column)})`;
}

/** The sort columns, as few as possible, because SQLite reads ahead for columns that its index lacks. */
function sorting(order: Order, column: string): SQL {
  const columns = keys[order.by].isUnique ? [column] : [column, "id"];
  return sql.raw(columns.map((name) => `${name} ${order.isDescending ? "desc" : "asc"}`).join(", "));
}

/** Merges sorted parts, a few at a time; SQLite reads only as many rows of each as the page needs. */
function merge(parts: SQL[], order: Order): SQL {
  let level = parts;
  while (level.length > 1) {
    const groups = Array.from({ length: Math.ceil(level.length / MAX_PARTS) }, (_, i) =>
      level.slice(i * MAX_PARTS, (i + 1) * MAX_PARTS),
    );
    level = groups.map(
      (group) => sql`select * from (${sql.join(group, sql` union all `)} order by ${sorting(order, "sort_key")})`,
    );
  }
  return level[0] ?? sql`select * from users where false`;
}
