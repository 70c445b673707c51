import { sql } from "drizzle-orm";
import { mergeStatements } from "../../platform/data/database.ts";
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
import { accountExists, hasAvailableUsername, type NewAccount, newAccount } from "./new-account.store.ts";
import { type AccountDeps, bindSession, commitSignIn, methodOf, type SignInOutcome } from "./sign-in.store.ts";

const registerStatements = prepared(writeAccount);

/**
 * Redeems the verification token, creates the account, opens its session and binds the idempotency key, in one
 * transaction. Changes nothing if the token is not live, the identifier has an account or the chosen username is taken.
 */
export async function insertAccount(
  deps: AccountDeps,
  client: Client,
  redemption: TokenRedemption,
  account: NewAccount,
  call: IdempotentCall | undefined,
  isTest: boolean,
): Promise<SignInOutcome & { isUsernameTaken: boolean }> {
  const outcome = await commitSignIn(
    deps,
    redemption,
    call,
    registerStatements(deps, client, redemption, account, call, isTest),
  );
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
  redemption: TokenRedemption,
  account: NewAccount,
  call: IdempotentCall | undefined,
  isTest: boolean,
) {
  const { identifier } = redemption;
  const requester = { identifier: identifier.value, network: client.network };
  const isPhone = identifier.kind === "phone";
  const isCreated = accountExists(account);
  const isNew = sql`not exists (select 1 from users where ${isIdentifiedBy(identifier)})
    and ${hasAvailableUsername(account)} and not ${isBound(deps, call)}`;
  const origin = {
    socialProvider: isPhone ? ("PHONE" as const) : ("EMAIL" as const),
    email: isPhone ? null : identifier.value,
    phoneNumber: isPhone ? identifier.value : null,
    isTestIdentifier: isTest,
    sessionId: redemption.sessionId,
  };
  return mergeStatements(
    {
      used: redeemVerificationToken(deps, redemption, isNew),
    },
    newAccount(deps, client, account, origin, isUsedByThisInvocation(deps, redemption)),
    openSession(
      deps,
      client,
      { id: redemption.sessionId, userId: account.userId, method: methodOf(identifier) },
      isCreated,
    ),
    trustNetwork(deps, requester, isCreated),
    {
      bind: bindSession(deps, call, redemption.sessionId, isCreated),
    },
  );
}
