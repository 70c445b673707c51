import { sql } from "drizzle-orm";
import { type IdempotentCall, isBound } from "../../platform/data/idempotency.ts";
import { prepared, type StatementDeps } from "../../platform/data/prepared.ts";
import type { Client } from "../../platform/http/client.ts";
import { openSession } from "../../sessions/session-open.store.ts";
import { isIdentifiedBy } from "../../users/identifier.ts";
import { trustNetwork } from "../otp/otp-guard.store.ts";
import {
  isUsedByThisInvocation,
  redeemVerificationToken,
  type TokenRedemption,
} from "../otp/verification-token.store.ts";
import { hasFreeName, isMade, type NewAccount, newAccount } from "./new-account.store.ts";
import { type AccountDeps, bindSession, commitSignIn, methodOf, type SignInOutcome } from "./sign-in.store.ts";

const registerStatements = prepared(writeAccount);

/**
 * Makes the account, opens its session, uses the verification token up and binds the idempotency key: all in one
 * transaction, or nothing where the token is not live, the identifier has an account, or the chosen username is taken.
 */
export async function insertAccount(
  deps: AccountDeps,
  client: Client,
  use: TokenRedemption,
  account: NewAccount,
  call: IdempotentCall | undefined,
  isTest: boolean,
): Promise<SignInOutcome & { isUsernameTaken: boolean }> {
  const outcome = await commitSignIn(deps, use, call, registerStatements(deps, client, use, account, call, isTest));
  const isUsernameTaken =
    outcome.token !== undefined &&
    outcome.token.usedBy === null &&
    outcome.user === undefined &&
    account.usernames.length === 1;
  return { ...outcome, isUsernameTaken };
}

function writeAccount(
  deps: StatementDeps,
  client: Client,
  use: TokenRedemption,
  account: NewAccount,
  call: IdempotentCall | undefined,
  isTest: boolean,
) {
  const { identifier } = use;
  const party = { identifier: identifier.value, network: client.network };
  const isPhone = identifier.kind === "phone";
  const made = isMade(account);
  const isNew = sql`not exists (select 1 from users where ${isIdentifiedBy(identifier)})
    and ${hasFreeName(account)} and not ${isBound(deps, call)}`;
  const origin = {
    socialProvider: isPhone ? ("PHONE" as const) : ("EMAIL" as const),
    email: isPhone ? null : identifier.value,
    phoneNumber: isPhone ? identifier.value : null,
    isTestIdentifier: isTest,
    sessionId: use.sessionId,
  };
  return {
    used: redeemVerificationToken(deps, use, isNew),
    ...newAccount(deps, client, account, origin, isUsedByThisInvocation(deps, use)),
    ...openSession(deps, client, { id: use.sessionId, userId: account.userId, method: methodOf(identifier) }, made),
    ...trustNetwork(deps, party, made),
    bind: bindSession(deps, call, use.sessionId, made),
  };
}
