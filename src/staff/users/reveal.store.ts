import { eq, sql } from "drizzle-orm";
import { profiles, users } from "../../db/user-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { ifRecorded } from "../../sessions/staff-views.store.ts";
import { runStaffBatch } from "../staff-batch.store.ts";
import { readRecorded, refuseUnlessRecorded } from "./staff-view.store.ts";

type RevealDeps = Pick<Deps, "db" | "now" | "newId" | "log" | "config">;

const hidden = {
  email: users.email,
  phone_number: users.phoneNumber,
  social_profile_data: users.socialProfileData,
  date_of_birth: profiles.dateOfBirth,
  address: profiles.address,
};

/**
 * Reads the hidden fields of a user and records in the same transaction which of them are shown.
 *
 * @returns all hidden fields; undefined if there is no such user.
 * @throws AppError `rate_limit_exceeded` if the caller has no views left.
 */
export async function auditFieldView(
  deps: RevealDeps,
  client: Client,
  caller: StaffClaims,
  userId: string,
  fields: readonly string[],
) {
  const view = {
    userId,
    entityType: "user_field",
    entityId: userId,
    newValues: sql`json_object('fields', json(${JSON.stringify(fields)}))`,
  } as const;
  const found = await runStaffBatch(deps, caller, ({ isStaff }) =>
    readRecorded(deps, client, caller, view, isStaff, (id) => ({
      shown: deps.db
        .select(hidden)
        .from(users)
        .leftJoin(profiles, eq(profiles.userId, users.id))
        .where(eq(users.id, ifRecorded(caller, id, userId))),
    })),
  );
  refuseUnlessRecorded(deps, caller, found);
  return found.shown[0];
}
