import { type SQL, sql } from "drizzle-orm";
import { mergeStatements } from "../../platform/data/database.ts";
import { type IdempotentCall, isBound } from "../../platform/data/idempotency.ts";
import { type BuilderDeps, prepare, type Value } from "../../platform/data/prepared.ts";
import type { Client } from "../../platform/http/client.ts";
import { insertSession, openSession } from "../../sessions/session-open.store.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { isReserved } from "../identity/reservation.store.ts";
import { trustNetwork } from "../otp/otp-guard.store.ts";
import {
  isUsedByThisInvocation,
  type RedemptionValues,
  redeemVerificationToken,
  type TokenRedemption,
} from "../otp/verification-token.store.ts";
import { dormantBefore, isReleasable, releaseNumber } from "./dormant-number.store.ts";
import { accountExists, hasAvailableUsername, type NewAccount, newAccount } from "./new-account.store.ts";
import {
  type AccountDeps,
  bindSession,
  commitSignIn,
  commitUsualSignIn,
  methodOf,
  type SignInOutcome,
  signInValues,
  valuesOfSignIn,
} from "./sign-in.store.ts";

/**
 * Redeems the verification token, creates the account, opens its session and binds the idempotency key, in one
 * transaction. Changes nothing if the token is not live, the identifier has an account or is reserved, or the chosen
 * username is taken. With `startOver`, a sleeping account loses the phone number to the new one.
 *
 * The first transaction only writes. If it changed nothing, a second one decides again and reads why.
 */
export async function insertAccount(
  deps: AccountDeps,
  client: Client,
  redemption: TokenRedemption,
  account: NewAccount,
  call: IdempotentCall | undefined,
  isTest: boolean,
  startOver: boolean,
): Promise<SignInOutcome & { isUsernameTaken: boolean }> {
  const usual = isTest ? undefined : await insertUsually(deps, client, redemption, account, call);
  if (usual) return { ...usual, isUsernameTaken: false };
  const outcome = await commitSignIn(
    deps,
    redemption,
    call,
    writeAccount(deps, client, redemption, account, call, isTest, startOver),
  );
  const isUsernameTaken =
    outcome.token !== undefined &&
    outcome.token.usedBy === null &&
    outcome.user === undefined &&
    !outcome.isReserved &&
    account.usernames.length === 1;
  return { ...outcome, isUsernameTaken };
}

function insertUsually(
  deps: AccountDeps,
  client: Client,
  redemption: TokenRedemption,
  { userId, usernames, referralCodes, identities, referredBy, locale }: NewAccount,
  call: IdempotentCall | undefined,
) {
  const prepared = usualSignUps[redemption.identifier.kind][call ? "keyed" : "plain"];
  const signIn = valuesOfSignIn(deps, client, redemption, call);
  const writes = prepared(deps, {
    ...signIn,
    userId,
    locale,
    referredBy: referredBy ?? null,
    usernames: JSON.stringify(usernames),
    referralCodes: JSON.stringify(referralCodes),
    identities: JSON.stringify(identities),
  });
  return commitUsualSignIn(deps, redemption, call, writes);
}

const signUpValues = [
  ...signInValues,
  ...(["userId", "usernames", "referralCodes", "identities", "referredBy", "locale"] as const),
];

const prepareUsually = (kind: Identifier["kind"], hasKey: boolean) =>
  prepare(signUpValues, (deps, values) => {
    const { cid, sessionId, secretId, network } = values;
    const identifier = { kind, value: values.identifier };
    const redemption = { cid, identifier, usedFor: "REGISTER" as const, sessionId };
    const signUp = { redemption, account: values, network, call: hasKey ? values : undefined, isTest: false };
    const { redeemedToken, newUser: user, ...rest } = createAccount(deps, values, signUp);
    const session = { id: sessionId, userId: values.userId, method: methodOf(identifier) };
    const openedSession = insertSession(deps, values, session, secretId, accountExists(values));
    return { redeemedToken, user, ...rest, openedSession };
  });

const usualSignUps = {
  phone: { plain: prepareUsually("phone", false), keyed: prepareUsually("phone", true) },
  email: { plain: prepareUsually("email", false), keyed: prepareUsually("email", true) },
};

function writeAccount(
  deps: AccountDeps,
  client: Client,
  redemption: TokenRedemption,
  account: NewAccount,
  call: IdempotentCall | undefined,
  isTest: boolean,
  startOver: boolean,
) {
  const before = startOver ? dormantBefore(deps, redemption.identifier) : -1;
  const session = { id: redemption.sessionId, userId: account.userId, method: methodOf(redemption.identifier) };
  return mergeStatements(
    createAccount(deps, client, {
      redemption,
      account,
      network: client.network,
      call,
      isTest,
      ...(before < 0
        ? {}
        : {
            takeover: {
              isReleasable: isReleasable(before),
              release: releaseNumber(
                deps,
                client,
                redemption.identifier.value,
                before,
                isUsedByThisInvocation(deps, redemption),
              ),
            },
          }),
    }),
    openSession(deps, client, session, accountExists(account)),
  );
}

interface SignUp {
  redemption: RedemptionValues;
  account: Parameters<typeof newAccount>[2];
  network: Value<string>;
  call: Parameters<typeof bindSession>[1];
  isTest: boolean;
  /** The statements that take the number off a sleeping account, if `isReleasable` holds; undefined to leave it. */
  takeover?: { isReleasable: SQL; release: ReturnType<typeof releaseNumber> };
}

/** The statements of a registration, without those that open its session. */
function createAccount(
  deps: BuilderDeps,
  client: Parameters<typeof newAccount>[1],
  { redemption, account, network, call, isTest, takeover }: SignUp,
) {
  const { identifier, sessionId } = redemption;
  const isPhone = identifier.kind === "phone";
  const isCreated = accountExists(account);
  const isHeld = sql`${isIdentifiedBy(identifier)}${takeover ? sql` and not ${takeover.isReleasable}` : sql``}`;
  const isNew = sql`not exists (select 1 from users where ${isHeld})
    and ${hasAvailableUsername(account)} and not ${isReserved(deps, identifier.value)}
    and not ${isBound(deps, call)}`;
  const origin = {
    socialProvider: isPhone ? ("PHONE" as const) : ("EMAIL" as const),
    email: isPhone ? null : identifier.value,
    phoneNumber: isPhone ? identifier.value : null,
    isTestIdentifier: isTest,
    sessionId,
  };
  return mergeStatements(
    { redeemedToken: redeemVerificationToken(deps, redemption, network, isNew) },
    takeover?.release,
    newAccount(deps, client, account, origin, isUsedByThisInvocation(deps, redemption)),
    trustNetwork(deps, { identifier: identifier.value, network }, isCreated),
    { bind: bindSession(deps, call, sessionId, isCreated) },
  );
}
