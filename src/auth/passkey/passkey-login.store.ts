import { and, eq, inArray, type SQL, sql } from "drizzle-orm";
import { sessions } from "../../db/sign-in-schema.ts";
import { users } from "../../db/user-schema.ts";
import { commit } from "../../platform/data/commit.ts";
import { mergeStatements, runBatch } from "../../platform/data/database.ts";
import { findBinding, type IdempotentCall, isBound } from "../../platform/data/idempotency.ts";
import { eventsOf } from "../../platform/data/outbox.ts";
import type { Client } from "../../platform/http/client.ts";
import { openSession } from "../../sessions/session-open.store.ts";
import { selectUser } from "../../users/user.store.ts";
import { enterAccount } from "../account/enter-account.store.ts";
import { maySignIn } from "../account/may-sign-in.store.ts";
import { type AccountDeps, bindSession } from "../account/sign-in.store.ts";
import { announceNewDevice, rememberNetwork } from "../device/new-device.store.ts";
import { liftHardLockout } from "../otp/otp-guard.store.ts";
import type { ChallengeStage } from "./passkey-challenge.ts";
import {
  isChallengeUsedByThisInvocation,
  isPasskeyAcceptable,
  recordPasskeyUse,
  reportSuspectPasskey,
  selectPasskeyKey,
  selectUse,
  useChallenge,
  type VerifiedAssertion,
} from "./passkey-use.store.ts";

/** What is needed to check an assertion of the credential; undefined if it is unknown. */
export async function findPasskeyKey(deps: AccountDeps, credentialId: string) {
  const { found } = await runBatch(deps, { found: selectPasskeyKey(deps, credentialId) });
  return found[0];
}

/**
 * Signs in with a valid assertion, in one transaction: uses the challenge, reactivates an account that was inactive,
 * opens a session that the passkey proves (for `CONSOLE` only if the user is staff), and binds the idempotency key.
 * Changes nothing if the challenge was used or can only repeat an earlier call, the passkey is gone or suspect, or the
 * account may not sign in.
 */
export async function signInByPasskey(
  deps: AccountDeps,
  client: Client,
  assertion: VerifiedAssertion,
  call: IdempotentCall | undefined,
  stage: ChallengeStage,
) {
  const { userId, passkeyId, sessionId } = assertion;
  const user = sql`${userId}`;
  const isAccount = eq(users.id, userId);
  const isUsed = isChallengeUsedByThisInvocation(deps, assertion);
  const isConsole = assertion.usedFor === "CONSOLE";
  const isAllowed = deps.db
    .select({ one: sql<number>`1` })
    .from(users)
    .where(and(isAccount, maySignIn, isConsole ? inArray(users.role, ["staff", "admin"]) : undefined));
  const session = { id: sessionId, userId, method: "PASSKEY", passkeyId, isConsole } as const;
  const entry = {
    userId: user,
    isAccount,
    verifies: undefined,
    method: session.method,
    isTestIdentifier: false,
    sessionId,
    identities: [],
  };
  const mayUse = sql`${isPasskeyAcceptable(assertion)} and exists ${isAllowed} and not ${isBound(deps, call)}`;
  const writes = mergeStatements(
    { usedChallenge: useChallenge(deps, assertion, stage, mayUse) },
    reportSuspectPasskey(deps, assertion, stage),
    recordPasskeyUse(deps, assertion, isUsed),
    { newDeviceEvent: announceNewDevice(deps, { userId: user, sessionId, network: client.network }, isUsed) },
    enterAccount(deps, client, entry, isUsed),
    liftHardLockout(deps, user, isUsed),
    openSession(deps, client, session, isUsed),
    {
      network: rememberNetwork(deps, userId, client.network, isUsed),
      bind: bindSession(deps, call, sessionId, isUsed),
    },
  );
  const ofUser = (id: SQL) =>
    deps.db.select().from(sessions).where(sql`${sessions.userId} = ${userId} and ${sessions.id} = ${id}`);
  const reads = {
    use: selectUse(deps, assertion),
    user: selectUser(deps, sql`${isAccount} and exists (select 1 from passkeys where id = ${passkeyId})`),
    mayEnter: isAllowed,
    session: ofUser(sql`(select session_id from passkey_uses where challenge = ${assertion.challenge})`),
    binding: findBinding(deps, call),
  };
  const found = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ use }) => use[0]?.usedBy === deps.invocationId,
  });
  return {
    use: found.use[0],
    /** Undefined if the passkey was removed meanwhile. */
    user: found.user[0],
    maySignIn: found.mayEnter.length > 0,
    session: found.session[0],
    binding: found.binding?.[0],
    endedSessions: found.endedSessions?.map(({ id }) => id) ?? [],
    events: eventsOf(
      found.newDeviceEvent,
      found.changeEvent,
      found.suspectEvent,
      found.emailMessage,
      found.phoneMessage,
    ),
  };
}

export type PasskeySignIn = Awaited<ReturnType<typeof signInByPasskey>>;
