import { and, eq, or, type SQL, sql } from "drizzle-orm";
import { users } from "../../db/user-schema.ts";
import { recordAudit } from "../../platform/data/audit.ts";
import { mergeStatements } from "../../platform/data/database.ts";
import { type IdempotentCall, isBound } from "../../platform/data/idempotency.ts";
import { prepared, type StatementDeps } from "../../platform/data/prepared.ts";
import type { Client } from "../../platform/http/client.ts";
import { openSession } from "../../sessions/session-open.store.ts";
import { isIdentifiedBy } from "../../users/identifier.ts";
import { nextVersion, recordUserUpdated } from "../../users/user-change.store.ts";
import { announceNewDevice } from "../device/new-device.store.ts";
import { trustNetwork } from "../otp/otp-guard.store.ts";
import {
  isUsedByThisInvocation,
  redeemVerificationToken,
  type TokenRedemption,
} from "../otp/verification-token.store.ts";
import {
  type AccountDeps,
  bindSession,
  commitSignIn,
  grantSignupBonus,
  methodOf,
  type SignInMethod,
  type SignInOutcome,
} from "./sign-in.store.ts";

/** The row of `users` may sign in: it is active, or inactive only because of inactivity. */
export const maySignIn = or(
  eq(users.status, "ACTIVE"),
  and(eq(users.status, "INACTIVE"), eq(users.statusReason, "inactivity")),
);

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
  sessionId: string;
  /** The identity that signs in, as `isFormerIdentity` takes it. */
  identities: readonly string[];
}

/**
 * Records a sign-in if `entered` holds: reactivates the account, marks its identifier as verified, grants the signup bonus
 * if the account never had it, and writes audit row and event.
 */
export function enterAccount(deps: StatementDeps, client: Client, entry: Entry, entered: SQL) {
  const now = deps.now();
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
    loginAudit: recordAudit(
      deps,
      client,
      {
        userId,
        action: "LOGIN",
        entityType: "session",
        entityId: entry.sessionId,
        // Old values are recorded only if the sign-in changes the account.
        oldValues: sql`(select json_object(${state}) from users where ${isChangingAccount})`,
        newValues: sql`json_patch(
          json_object('method', ${entry.method}, 'test_identifier', json(${entry.isTestIdentifier ? "true" : "false"})),
          coalesce((select json_patch(json_object('status', 'ACTIVE'), ${verifiedValues}) from users where ${isChangingAccount}), '{}'))`,
        actorId: userId,
        sessionId: entry.sessionId,
      },
      entered,
    ),
    // Separate from the next, because naming these columns writes the three indexes of the status bucket.
    changedAccount: deps.db
      .update(users)
      .set({
        ...nextVersion(now),
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
    enteredAccount: deps.db
      .update(users)
      .set({ lastLogin: now, lastActivityAt: now })
      .where(sql`${isAccount} and ${entered}`),
  };
}

const signInStatements = prepared(writeSignIn);

/**
 * Redeems the verification token, opens a session for the account and binds the idempotency key, in one transaction.
 * Changes nothing if the token is not live or the account may not sign in.
 */
export function signIn(
  deps: AccountDeps,
  client: Client,
  redemption: TokenRedemption,
  call: IdempotentCall | undefined,
  isTest: boolean,
  identities: string[],
): Promise<SignInOutcome> {
  return commitSignIn(deps, redemption, call, signInStatements(deps, client, redemption, call, isTest, identities));
}

function writeSignIn(
  deps: StatementDeps,
  client: Client,
  redemption: TokenRedemption,
  call: IdempotentCall | undefined,
  isTest: boolean,
  identities: string[],
) {
  const { identifier, sessionId } = redemption;
  const requester = { identifier: identifier.value, network: client.network };
  const userId = sql`(select id from users where ${isIdentifiedBy(identifier)})`;
  const method = methodOf(identifier);
  const isAllowed = deps.db
    .select({ one: sql`1` })
    .from(users)
    .where(and(isIdentifiedBy(identifier), maySignIn, isTest ? eq(users.role, "user") : undefined));
  const isRedeemed = isUsedByThisInvocation(deps, redemption);
  const entry = {
    userId,
    isAccount: isIdentifiedBy(identifier),
    verifies: identifier.kind === "phone" ? users.phoneVerified : users.emailVerified,
    method,
    isTestIdentifier: isTest,
    sessionId,
    identities,
  };
  return mergeStatements(
    {
      redeemedToken: redeemVerificationToken(deps, redemption, sql`exists ${isAllowed} and not ${isBound(deps, call)}`),
      newDeviceEvent: announceNewDevice(deps, { userId, sessionId, network: client.network }, isRedeemed),
    },
    enterAccount(deps, client, entry, isRedeemed),
    openSession(deps, client, { id: sessionId, userId, method }, isRedeemed),
    trustNetwork(deps, requester, isRedeemed),
    {
      bind: bindSession(deps, call, sessionId, isRedeemed),
    },
  );
}
