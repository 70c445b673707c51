import { type SQL, sql } from "drizzle-orm";
import {
  accountExists,
  hasAvailableUsername,
  type NewAccount,
  newAccount,
} from "../../auth/account/new-account.store.ts";
import type { AccountDeps } from "../../auth/account/sign-in.store.ts";
import { isReserved } from "../../auth/identity/reservation.store.ts";
import { users } from "../../db/user-schema.ts";
import { mergeStatements } from "../../platform/data/database.ts";
import { eventsOf } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { recordStaffView } from "../../sessions/staff-views.store.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { commitStaffBatch } from "../staff-batch.store.ts";
import { selectUserDetail, userDetailOf } from "./user-detail.store.ts";

/** The fields that staff may set for a new account. */
export interface NewUserDetail {
  identifier: Identifier;
  fullName: string | undefined;
  dateOfBirth: string | undefined;
  address: string | undefined;
  profilePicture: string | undefined;
  avatarUrl: string | undefined;
}

/**
 * Creates an account on behalf of a user: its identifier is unverified and it has no session. Creates nothing if the
 * identifier is taken or reserved, or the username is taken.
 */
export async function insertCreatedUser(
  deps: AccountDeps & Pick<Deps, "config">,
  client: Client,
  caller: StaffClaims,
  detail: NewUserDetail,
  account: NewAccount,
) {
  const { identifier } = detail;
  const isPhone = identifier.kind === "phone";
  const isTaken = sql`exists (select 1 from users where ${isIdentifiedBy(identifier)})`;
  const viewId = deps.newId();
  const view = { id: viewId, userId: account.userId, entityType: "user", entityId: account.userId } as const;
  const selectOne = (condition: SQL) => deps.db.select({ one: sql`1` }).from(sql`(select 1)`).where(condition);
  const found = await commitStaffBatch(
    deps,
    caller,
    ({ isStaff }) => ({
      writes: mergeStatements(
        newAccount(
          deps,
          client,
          account,
          {
            socialProvider: isPhone ? "PHONE" : "EMAIL",
            email: isPhone ? null : identifier.value,
            phoneNumber: isPhone ? identifier.value : null,
            createdBy: caller,
            fullName: detail.fullName,
            dateOfBirth: detail.dateOfBirth,
            address: detail.address,
            profilePicture: detail.profilePicture ?? null,
            avatarUrl: detail.avatarUrl,
            sessionId: caller.sessionId,
          },
          sql`${isStaff} and not ${isTaken} and not ${isReserved(deps, identifier.value)} and ${hasAvailableUsername(account)}`,
        ),
        { view: recordStaffView(deps, client, caller, view, accountExists(account)) },
      ),
      reads: mergeStatements(
        {
          taken: deps.db.select({ id: users.id }).from(users).where(isIdentifiedBy(identifier)),
          reserved: selectOne(isReserved(deps, identifier.value)),
          made: selectOne(accountExists(account)),
        },
        selectUserDetail(deps, account.userId, { caller, viewId }),
      ),
    }),
    ({ made }) => made.length > 0,
  );
  return {
    isTaken: found.taken.length > 0,
    isReserved: found.reserved.length > 0,
    isCreated: found.made.length > 0,
    detail: userDetailOf(found),
    events: eventsOf(found.newAccountEvent),
  };
}
