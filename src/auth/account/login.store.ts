import { and, eq, inArray, sql } from "drizzle-orm";
import { users } from "../../db/user-schema.ts";
import { mergeStatements } from "../../platform/data/database.ts";
import { type IdempotentCall, isBound } from "../../platform/data/idempotency.ts";
import { type BuilderDeps, prepare } from "../../platform/data/prepared.ts";
import type { Client } from "../../platform/http/client.ts";
import { hasSessionLeft, insertSession, openSession } from "../../sessions/session-open.store.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { announceNewDevice } from "../device/new-device.store.ts";
import { trustNetwork } from "../otp/otp-guard.store.ts";
import {
  isUsedByThisInvocation,
  redeemVerificationToken,
  type TokenRedemption,
} from "../otp/verification-token.store.ts";
import {
  dormantBefore,
  hasSecondProof,
  isDormant,
  type SecondProof,
  spendSecondProof,
} from "./dormant-number.store.ts";
import { enterAccount, recordLastLogin, recordLogin } from "./enter-account.store.ts";
import { maySignIn } from "./may-sign-in.store.ts";
import {
  type AccountDeps,
  bindSession,
  commitSignIn,
  commitUsualSignIn,
  methodOf,
  type SignInOutcome,
  type SignInValues,
  signInValues,
  valuesOfSignIn,
} from "./sign-in.store.ts";

/**
 * Redeems the verification token, opens a session for the account (for `CONSOLE` only if it is staff) and binds the
 * idempotency key, in one transaction. Changes nothing if the token is not live, the account may not sign in, or it has
 * slept so long that its number needs a second proof.
 *
 * The first transaction is for the usual account: active, its identifier verified, with fewer live sessions than the
 * limit. If it changed nothing, a second one decides again for every account.
 */
export async function signIn(
  deps: AccountDeps,
  client: Client,
  redemption: TokenRedemption,
  call: IdempotentCall | undefined,
  isTest: boolean,
  identities: string[],
  secondProof: SecondProof,
): Promise<SignInOutcome> {
  const isUsual = !isTest && redemption.usedFor === "LOGIN";
  const usual = isUsual ? await signInUsually(deps, client, redemption, call) : undefined;
  return (
    usual ??
    commitSignIn(deps, redemption, call, writeSignIn(deps, client, redemption, call, isTest, identities, secondProof))
  );
}

function signInUsually(
  deps: AccountDeps,
  client: Client,
  redemption: TokenRedemption,
  call: IdempotentCall | undefined,
) {
  const prepared = usualSignIns[redemption.identifier.kind][call ? "keyed" : "plain"];
  const writes = prepared(deps, valuesOfSignIn(deps, client, redemption, call));
  return commitUsualSignIn(deps, redemption, call, writes);
}

const prepareUsually = (kind: Identifier["kind"], hasKey: boolean) =>
  prepare(signInValues, (deps, values) => writeUsualSignIn(deps, kind, values, hasKey));

const usualSignIns = {
  phone: { plain: prepareUsually("phone", false), keyed: prepareUsually("phone", true) },
  email: { plain: prepareUsually("email", false), keyed: prepareUsually("email", true) },
};

/** The statements of `signIn` for the usual account, which neither change it nor end another session. */
function writeUsualSignIn(deps: BuilderDeps, kind: Identifier["kind"], values: SignInValues, hasKey: boolean) {
  const { cid, sessionId, secretId, network } = values;
  const call = hasKey ? values : undefined;
  const identifier = { kind, value: values.identifier };
  const redemption = { cid, identifier, usedFor: "LOGIN" as const, sessionId };
  const isAccount = isIdentifiedBy(identifier);
  const userId = sql`(select id from users where ${isAccount})`;
  const isVerified = kind === "phone" ? users.phoneVerified : users.emailVerified;
  const isUsual = sql`exists (select 1 from users where ${isAccount} and ${users.status} = 'ACTIVE' and ${isVerified}
    and ${hasSessionLeft(deps, sql`users.id`)} and not ${isDormant(values.dormantBefore)})`;
  const isRedeemed = isUsedByThisInvocation(deps, redemption);
  const session = { id: sessionId, userId, method: methodOf(identifier) };
  const login = { userId, method: session.method, isTestIdentifier: false, sessionId };
  return mergeStatements(
    {
      redeemedToken: redeemVerificationToken(deps, redemption, network, sql`${isUsual} and not ${isBound(deps, call)}`),
      newDeviceEvent: announceNewDevice(deps, { userId, sessionId, network }, isRedeemed),
      loginAudit: recordLogin(deps, values, login, isRedeemed),
      user: recordLastLogin(deps, isAccount, isRedeemed),
      openedSession: insertSession(deps, values, session, secretId, isRedeemed),
    },
    trustNetwork(deps, { identifier: values.identifier, network }, isRedeemed),
    { bind: bindSession(deps, call, sessionId, isRedeemed) },
  );
}

function writeSignIn(
  deps: AccountDeps,
  client: Client,
  redemption: TokenRedemption,
  call: IdempotentCall | undefined,
  isTest: boolean,
  identities: string[],
  secondProof: SecondProof,
) {
  const { identifier, sessionId } = redemption;
  const requester = { identifier: identifier.value, network: client.network };
  const userId = sql`(select id from users where ${isIdentifiedBy(identifier)})`;
  const method = methodOf(identifier);
  const isConsole = redemption.usedFor === "CONSOLE";
  const isAwake = sql`(not ${isDormant(dormantBefore(deps, identifier))}
    or (users.role = 'user' and ${hasSecondProof(deps, secondProof)}))`;
  const mayByRole = and(
    isTest ? eq(users.role, "user") : isAwake,
    isConsole ? inArray(users.role, ["staff", "admin"]) : undefined,
  );
  const isAllowed = deps.db
    .select({ one: sql`1` })
    .from(users)
    .where(and(isIdentifiedBy(identifier), maySignIn, mayByRole));
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
      redeemedToken: redeemVerificationToken(
        deps,
        redemption,
        client.network,
        sql`exists ${isAllowed} and not ${isBound(deps, call)}`,
      ),
      newDeviceEvent: announceNewDevice(deps, { userId, sessionId, network: client.network }, isRedeemed),
    },
    enterAccount(deps, client, entry, isRedeemed),
    openSession(deps, client, { id: sessionId, userId, method, isConsole }, isRedeemed),
    trustNetwork(deps, requester, isRedeemed),
    {
      bind: bindSession(deps, call, sessionId, isRedeemed),
      secondToken: secondProof.emailCid === "" ? undefined : spendSecondProof(deps, secondProof, isRedeemed),
    },
  );
}
