import { and, eq, or, type SQL, sql } from "drizzle-orm";
import { users } from "../../db/user-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { canonicalReferralCode } from "../../users/referral-code.ts";
import { runStaffBatch } from "../staff-batch.store.ts";
import { isJoinedWithin, type Joined, type ListedUser, summary, type UserSummary } from "./directory.store.ts";
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

/** A user in a search result, with the fields that `matchedField` compares. */
export type FoundUser = ListedUser & Omit<Searched, "fullName"> & { referralCode: string };

const searched = {
  usernameKey: sql<string>`users.username_key`.as("username_key"),
  email: sql<string | null>`users.email`.as("email"),
  phoneNumber: sql<string | null>`users.phone_number`.as("phone_number"),
  referralCode: sql<string>`users.referral_code`.as("referral_code"),
};

/** Maximum number of users found by one document number, far above the number that share one. */
const MAX_DOCUMENT_OWNERS = 100;

/** The complete values that a typed text may be. */
interface WholeText {
  /** Normalized like a username key. */
  text: string;
  /** Undefined if the text is not an identifier. */
  identifier: Identifier | undefined;
  /** Its keyed hash as a document number; undefined if it cannot be one. */
  documentIndex: string | undefined;
}

/**
 * Users whose id, username or referral code is the text, who have the identifier, or whose KYC has the document number,
 * and who match the filters.
 *
 * @returns the users, and the ids of those with the document number.
 */
export async function findNamed(
  deps: LookupDeps,
  caller: StaffClaims,
  { text, identifier, documentIndex }: WholeText,
  filter: Omit<UserFilter, "isExpanded">,
) {
  const isNamed = or(
    eq(users.id, text),
    eq(users.usernameKey, text),
    eq(users.referralCode, canonicalReferralCode(text)),
    identifier === undefined ? undefined : isIdentifiedBy(identifier),
  );
  const found = await runStaffBatch(deps, caller, () => ({
    named: deps.db
      .select(listed)
      .from(users)
      .where(and(isNamed, fits(filter))),
    owners:
      documentIndex === undefined
        ? undefined
        : deps.db
            .select(listed)
            .from(sql`kyc cross join users on users.id = kyc.user_id`)
            .where(sql`kyc.document_number_index = ${documentIndex} and ${fits(filter)}`)
            .limit(MAX_DOCUMENT_OWNERS),
  }));
  const owners = found.owners ?? [];
  const known = new Set(found.named.map(({ id }) => id));
  return {
    users: [...found.named, ...owners.filter(({ id }) => !known.has(id))],
    documentOwners: new Set(owners.map(({ id }) => id)),
  };
}

/** Filters of a page of a search. */
interface UserFilter {
  buckets: readonly number[] | undefined;
  joined: Joined;
  /** Whether to read the summary of each user, too. */
  isExpanded: boolean;
}

/** The row of `users` matches the filters. */
function fits({ buckets, joined }: Omit<UserFilter, "isExpanded">): SQL {
  return sql`${hasBucket(sql`status_bucket`, buckets)} and ${isJoinedWithin(joined)}`;
}

/** The users with these ids that match the filters, in no particular order. */
export async function findUsers(
  deps: LookupDeps,
  caller: StaffClaims,
  ids: readonly string[],
  filter: UserFilter,
): Promise<FoundUser[]> {
  const { isExpanded } = filter;
  const rowsOf = (some: readonly string[]) => {
    if (some.length === 0) return undefined;
    const given = sql.join(
      some.map((id) => sql`(${id})`),
      sql`, `,
    );
    return deps.db
      .select({ ...listed, ...searched, ...(isExpanded ? summary : {}) })
      .from(
        sql`(values ${given}) given cross join users on users.id = given.column1
          ${isExpanded ? sql`left join profiles on profiles.user_id = users.id` : sql``}`,
      )
      .where(fits(filter));
  };
  const { first, second } = await runStaffBatch(deps, caller, () => ({
    first: rowsOf(ids.slice(0, MAX_IDS)),
    second: rowsOf(ids.slice(MAX_IDS)),
  }));
  return [...(first ?? []), ...(second ?? [])].map((row) =>
    isExpanded ? { ...row, summary: row as UserSummary } : row,
  );
}
