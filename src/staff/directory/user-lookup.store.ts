import { eq, or, type SQL, sql } from "drizzle-orm";
import { users } from "../../db/user-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { runStaffBatch } from "../staff-batch.store.ts";
import { isJoinedWithin, type Joined, type ListedUser } from "./directory.store.ts";
import type { Searched } from "./search-text.ts";
import { hasBucket } from "./status-buckets.ts";

/** Ids per statement: D1 binds at most 100 parameters. */
const MAX_IDS = 90;

type LookupDeps = Pick<Deps, "db" | "now" | "log" | "config">;

const listed = {
  id: sql<string>`users.id`.as("id"),
  username: sql<string>`users.username`.as("username"),
  status: sql<ListedUser["status"]>`users.status`.as("status"),
  dateJoined: sql<number>`users.date_joined`.as("date_joined"),
};

/** A user of a search result, with the searchable fields. */
export type FoundUser = ListedUser & Searched;

const searched = {
  usernameKey: sql<string>`users.username_key`.as("username_key"),
  email: sql<string | null>`users.email`.as("email"),
  phoneNumber: sql<string | null>`users.phone_number`.as("phone_number"),
};

/**
 * Users whose id or username is the text, or who have the identifier.
 *
 * @param text normalized like a username key.
 * @param identifier undefined if the text is not an identifier.
 */
export async function findNamed(
  deps: LookupDeps,
  caller: StaffClaims,
  text: string,
  identifier: Identifier | undefined,
) {
  const isNamed = or(
    eq(users.id, text),
    eq(users.usernameKey, text),
    identifier === undefined ? undefined : isIdentifiedBy(identifier),
  );
  const { users: found } = await runStaffBatch(deps, caller, () => ({
    users: deps.db.select(listed).from(users).where(isNamed),
  }));
  return found;
}

/** The users with these ids that match the filters, in no particular order. */
export async function findUsers(
  deps: LookupDeps,
  caller: StaffClaims,
  ids: readonly string[],
  { buckets, joined }: { buckets: readonly number[] | undefined; joined: Joined },
): Promise<FoundUser[]> {
  const fits: SQL = sql`${hasBucket(sql`status_bucket`, buckets)} and ${isJoinedWithin(joined)}`;
  const rowsOf = (some: readonly string[]) => {
    if (some.length === 0) return undefined;
    const given = sql.join(
      some.map((id) => sql`(${id})`),
      sql`, `,
    );
    return deps.db
      .select({ ...listed, ...searched })
      .from(sql`(values ${given}) given cross join users on users.id = given.column1`)
      .where(fits);
  };
  const { first, second } = await runStaffBatch(deps, caller, () => ({
    first: rowsOf(ids.slice(0, MAX_IDS)),
    second: rowsOf(ids.slice(MAX_IDS)),
  }));
  return [...(first ?? []), ...(second ?? [])];
}
