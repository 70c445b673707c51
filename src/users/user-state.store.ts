import { eq, sql } from "drizzle-orm";
import { kyc } from "../db/kyc-schema.ts";
import { profiles, users } from "../db/user-schema.ts";
import type { Deps } from "../platform/deps.ts";

// Listed explicitly so that new columns are not exposed by default.
const stateFields = {
  id: users.id,
  username: users.username,
  email: users.email,
  phoneNumber: users.phoneNumber,
  emailVerified: users.emailVerified,
  phoneVerified: users.phoneVerified,
  status: users.status,
  role: users.role,
  locale: users.locale,
  socialProvider: users.socialProvider,
  profilePicture: users.profilePicture,
  fullName: profiles.fullName,
  dateOfBirth: profiles.dateOfBirth,
  address: profiles.address,
  avatarUrl: profiles.avatarUrl,
  // Null if there is none. Named explicitly, because the rows of a batch lose one of two columns with the same name.
  kycStatus: sql<(typeof kyc.$inferSelect)["status"] | null>`${kyc.status}`.as("kyc_status"),
  dateJoined: users.dateJoined,
  updatedAt: users.updatedAt,
  version: users.version,
};

/** Selects what other services receive about a user; no row if there is no such user. */
export function selectUserState(deps: Pick<Deps, "db">, userId: string) {
  return deps.db
    .select(stateFields)
    .from(users)
    .leftJoin(profiles, eq(profiles.userId, users.id))
    .leftJoin(kyc, eq(kyc.userId, users.id))
    .where(eq(users.id, userId));
}

export type UserState = Awaited<ReturnType<typeof selectUserState>>[number];
