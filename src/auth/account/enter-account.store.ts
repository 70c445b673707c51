import { type SQL, sql } from "drizzle-orm";
import { users } from "../../db/user-schema.ts";
import { type AuditClient, recordSignInAudit } from "../../platform/data/audit.ts";
import type { BuilderDeps, StatementDeps, Value } from "../../platform/data/prepared.ts";
import type { Client } from "../../platform/http/client.ts";
import { userFields } from "../../users/user.store.ts";
import { nextVersion, recordUserUpdated } from "../../users/user-change.store.ts";
import type { SignInMethod } from "./sign-in.store.ts";
import { grantSignupBonus } from "./signup-bonus.store.ts";

/** A sign-in to an existing account. */
interface Entry {
  userId: SQL;
  /** The row of `users` is the account. */
  isAccount: SQL;
  /** The flag that becomes true because the sign-in verifies an identifier; undefined if it verifies none. */
  verifies: typeof users.phoneVerified | typeof users.emailVerified | undefined;
  /** The sign-in verifies the identifier of this row of `users`; always true by default. */
  verifiesWhere?: SQL;
  method: SignInMethod;
  isTestIdentifier: boolean;
  sessionId: Value<string>;
  /** The identity that signs in, as `isFormerIdentity` takes it. */
  identities: readonly string[];
}

/**
 * Records a sign-in if `entered` holds, with an audit row: reactivates the account, marks its identifier as verified.
 * Only if that changes the account, it also writes the event and grants the signup bonus unless it was granted before.
 */
export function enterAccount(deps: StatementDeps, client: Client, entry: Entry, entered: SQL) {
  const { userId, isAccount, verifies, verifiesWhere = sql`true` } = entry;
  const isVerification = verifies ? sql`(not ${verifies} and ${verifiesWhere})` : sql`false`;
  const isChanging = sql`(status <> 'ACTIVE' or ${isVerification})`;
  const isChangingAccount = sql`${isAccount} and ${isChanging}`;
  const changesAccount = sql`${entered} and exists (select 1 from users where ${isChangingAccount})`;
  const state = sql`'status', status, 'email_verified', json(iif(email_verified, 'true', 'false')),
    'phone_verified', json(iif(phone_verified, 'true', 'false'))`;
  const verifiedValues = verifies
    ? sql`iif(${isVerification}, json_object(${verifies.name}, json('true')), '{}')`
    : sql`'{}'`;
  const { bonusEntry, bonus } = grantSignupBonus(deps, userId, entry.identities, changesAccount);
  return {
    changeEvent: recordUserUpdated(deps, userId, changesAccount),
    loginBonusEntry: bonusEntry,
    loginBonus: bonus,
    loginAudit: recordLogin(deps, client, entry, entered, {
      // Old values are recorded only if the sign-in changes the account.
      oldValues: sql`(select json_object(${state}) from users where ${isChangingAccount})`,
      newValues: sql`coalesce((select json_patch(json_object('status', 'ACTIVE'), ${verifiedValues}) from users
        where ${isChangingAccount}), '{}')`,
    }),
    // Separate from `enteredAccount`, because setting these columns rewrites the three indexes of the status bucket.
    changedAccount: deps.db
      .update(users)
      .set({
        ...nextVersion(deps.now()),
        status: "ACTIVE",
        statusReason: null,
        ...(verifies === users.phoneVerified
          ? { phoneVerified: sql`${users.phoneVerified} or ${isVerification}` }
          : {}),
        ...(verifies === users.emailVerified
          ? { emailVerified: sql`${users.emailVerified} or ${isVerification}` }
          : {}),
      })
      .where(sql`${isChangingAccount} and ${entered}`),
    enteredAccount: recordLastLogin(deps, isAccount, entered),
  };
}

/** Writes the audit row of a sign-in if `entered` holds, with what it changes in the account. */
export function recordLogin(
  deps: BuilderDeps,
  client: AuditClient,
  { userId, method, isTestIdentifier, sessionId }: Pick<Entry, "userId" | "method" | "isTestIdentifier" | "sessionId">,
  entered: SQL,
  change?: { oldValues: SQL; newValues: SQL },
) {
  const own = sql`json_object('method', ${method}, 'test_identifier', json(${isTestIdentifier ? "true" : "false"}))`;
  return recordSignInAudit(
    deps,
    client,
    {
      userId,
      action: "LOGIN",
      entityType: "session",
      entityId: sessionId,
      ...(change ? { oldValues: change.oldValues } : {}),
      newValues: change ? sql`json_patch(${own}, ${change.newValues})` : own,
      actorId: userId,
      sessionId,
    },
    entered,
  );
}

/** Sets the user's last sign-in and activity if `entered` holds; returns the user as `UserRow`. */
export function recordLastLogin(deps: Pick<BuilderDeps, "db" | "now">, isAccount: SQL, entered: SQL) {
  const now = deps.now();
  return deps.db
    .update(users)
    .set({ lastLogin: now, lastActivityAt: now })
    .where(sql`${isAccount} and ${entered}`)
    .returning(userFields);
}
