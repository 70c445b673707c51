import { and, eq, or, type SQL, sql } from "drizzle-orm";
import { users } from "../../db/user-schema.ts";
import { recordAudit } from "../../platform/data/audit.ts";
import { type IdempotentCall, isBound } from "../../platform/data/idempotency.ts";
import { prepared, type StatementDeps } from "../../platform/data/prepared.ts";
import type { Client } from "../../platform/http/client.ts";
import { openSession } from "../../sessions/session-open.store.ts";
import { isIdentifiedBy } from "../../users/identifier.ts";
import { recordUserUpdated } from "../../users/user-change.store.ts";
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

/** Holds for rows of `users` that may sign in: active ones, and those that only sleep. */
export const mayAct = or(
  eq(users.status, "ACTIVE"),
  and(eq(users.status, "INACTIVE"), eq(users.statusReason, "inactivity")),
);

/** An account that is signed in to. */
interface Entry {
  userId: SQL;
  /** Holds for the account's row of `users`. */
  isAccount: SQL;
  /** The flag that this sign-in proves; none proves nothing of the account's own. */
  proves: typeof users.phoneVerified | typeof users.emailVerified | undefined;
  /** Holds, of the row, where it does; always where absent. */
  provesWhere?: SQL;
  method: SignInMethod;
  isTestIdentifier: boolean;
  sessionId: string;
  /** What signs in, as `hashIdentities` gives it. */
  identities: readonly string[];
}

/**
 * The statements that record a sign-in where `entered` holds: an account that slept becomes active, an identifier that was
 * unverified verified, with the signup bonus if it never had it; audit row and event.
 */
export function enterAccount(deps: StatementDeps, client: Client, entry: Entry, entered: SQL) {
  const now = deps.now();
  const { userId, isAccount, proves, provesWhere = sql`true` } = entry;
  const isProof = proves ? sql`(not ${proves} and ${provesWhere})` : sql`false`;
  const changing = sql`(status <> 'ACTIVE' or ${isProof})`;
  const isAsleep = sql`${isAccount} and ${changing}`;
  const changes = sql`${entered} and exists (select 1 from users where ${isAsleep})`;
  const state = sql`'status', status, 'email_verified', json(iif(email_verified, 'true', 'false')),
    'phone_verified', json(iif(phone_verified, 'true', 'false'))`;
  const proved = proves ? sql`iif(${isProof}, json_object(${proves.name}, json('true')), '{}')` : sql`'{}'`;
  return {
    changeEvent: recordUserUpdated(deps, userId, changes),
    ...grantSignupBonus(deps, userId, entry.identities, changes),
    audit: recordAudit(
      deps,
      client,
      {
        userId,
        action: "LOGIN",
        entityType: "session",
        entityId: entry.sessionId,
        // Old values stand only where the sign-in changes the account.
        oldValues: sql`(select json_object(${state}) from users where ${isAsleep})`,
        newValues: sql`json_patch(
          json_object('method', ${entry.method}, 'test_identifier', json(${entry.isTestIdentifier ? "true" : "false"})),
          coalesce((select json_patch(json_object('status', 'ACTIVE'), ${proved}) from users where ${isAsleep}), '{}'))`,
        actorId: userId,
        sessionId: entry.sessionId,
      },
      entered,
    ),
    account: deps.db
      .update(users)
      .set({
        version: sql`${users.version} + ${changing}`,
        status: "ACTIVE",
        statusReason: null,
        lastLogin: now,
        updatedAt: sql`case when ${changing} then ${now} else ${users.updatedAt} end`,
        ...(proves === users.phoneVerified ? { phoneVerified: sql`${users.phoneVerified} or ${isProof}` } : {}),
        ...(proves === users.emailVerified ? { emailVerified: sql`${users.emailVerified} or ${isProof}` } : {}),
      })
      .where(sql`${isAccount} and ${entered}`),
  };
}

const signInStatements = prepared(writeSignIn);

/**
 * Opens a session for the account, uses the verification token up and binds the idempotency key, in one transaction.
 * Nothing where the token is not live or the account may not sign in.
 */
export function signIn(
  deps: AccountDeps,
  client: Client,
  use: TokenRedemption,
  call: IdempotentCall | undefined,
  isTest: boolean,
  identities: string[],
): Promise<SignInOutcome> {
  return commitSignIn(deps, use, call, signInStatements(deps, client, use, call, isTest, identities));
}

function writeSignIn(
  deps: StatementDeps,
  client: Client,
  use: TokenRedemption,
  call: IdempotentCall | undefined,
  isTest: boolean,
  identities: string[],
) {
  const { identifier, sessionId } = use;
  const party = { identifier: identifier.value, network: client.network };
  const userId = sql`(select id from users where ${isIdentifiedBy(identifier)})`;
  const method = methodOf(identifier);
  const isAllowed = deps.db
    .select({ one: sql`1` })
    .from(users)
    .where(and(isIdentifiedBy(identifier), mayAct, isTest ? eq(users.role, "user") : undefined));
  const used = isUsedByThisInvocation(deps, use);
  const entry = {
    userId,
    isAccount: isIdentifiedBy(identifier),
    proves: identifier.kind === "phone" ? users.phoneVerified : users.emailVerified,
    method,
    isTestIdentifier: isTest,
    sessionId,
    identities,
  };
  return {
    used: redeemVerificationToken(deps, use, sql`exists ${isAllowed} and not ${isBound(deps, call)}`),
    newDeviceEvent: announceNewDevice(deps, { userId, sessionId, network: client.network }, used),
    ...enterAccount(deps, client, entry, used),
    ...openSession(deps, client, { id: sessionId, userId, method }, used),
    ...trustNetwork(deps, party, used),
    bind: bindSession(deps, call, sessionId, used),
  };
}
