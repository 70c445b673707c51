import { and, eq, type SQL, sql } from "drizzle-orm";
import { users } from "../db/user-schema.ts";
import { runBatch } from "../platform/data/database.ts";
import { prepare, type StatementDeps } from "../platform/data/prepared.ts";
import type { Deps } from "../platform/deps.ts";
import { isSignedIn } from "../sessions/session.store.ts";
import type { AccessClaims } from "../sessions/tokens.ts";

type KycStatus = "PENDING" | "APPROVED" | "REJECTED" | "NOT_SUBMITTED";

// Subqueries spell `users.id` out: drizzle would omit the table, and the inner table also has an id.
export const userFields = {
  id: users.id,
  username: users.username,
  profilePicture: users.profilePicture,
  referralCode: users.referralCode,
  status: users.status,
  statusReason: users.statusReason,
  role: users.role,
  dateJoined: users.dateJoined,
  socialProvider: users.socialProvider,
  profileComplete:
    sql<number>`coalesce((select full_name is not null and date_of_birth is not null and address is not null
    from profiles where user_id = users.id), 0)`.as("profile_complete"),
  kycStatus: sql<KycStatus>`coalesce((select status from kyc where user_id = users.id), 'NOT_SUBMITTED')`.as(
    "kyc_status",
  ),
};

/** A user as shown to themselves. */
export interface UserRow {
  id: string;
  username: string;
  profilePicture: string | null;
  referralCode: string;
  status: (typeof users.$inferSelect)["status"];
  statusReason: (typeof users.$inferSelect)["statusReason"];
  role: (typeof users.$inferSelect)["role"];
  dateJoined: number;
  socialProvider: (typeof users.$inferSelect)["socialProvider"];
  /** 1 if full name, date of birth and address are all set, else 0. */
  profileComplete: number;
  kycStatus: KycStatus;
}

/** Selects one user as `UserRow`. */
export function selectUser(deps: Pick<Deps, "db">, which: SQL) {
  return deps.db.select(userFields).from(users).where(which);
}

const signedInUser = prepare(["userId", "sessionId"], (deps, caller) => ({
  found: selectUser(deps, sql`${and(eq(users.id, caller.userId), isSignedIn(deps, caller))}`),
}));

/** The signed-in user; undefined if the session has ended or the account may not be used. */
export async function findSignedInUser(
  deps: StatementDeps & Pick<Deps, "log">,
  { userId, sessionId }: AccessClaims,
): Promise<UserRow | undefined> {
  const { found } = await runBatch(deps, signedInUser(deps, { userId, sessionId }));
  return found[0];
}
