import { eq, type SQL, sql } from "drizzle-orm";
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
import { accountExists, hasAvailableUsername, type NewAccount, newAccount } from "../account/new-account.store.ts";
import { type AccountDeps, bindSession } from "../account/sign-in.store.ts";
import { announceNewDevice, rememberNetwork } from "../device/new-device.store.ts";
import { isReserved } from "../identity/reservation.store.ts";
import { liftHardLockout } from "../otp/otp-guard.store.ts";
import {
  linkAccount,
  linkedUser,
  profileDataOf,
  providerOf,
  reviveLink,
  type SocialAccount,
} from "./social-account.store.ts";
import {
  type CredentialUse,
  isCredentialUsedByThisInvocation,
  redeemCredential,
  selectCredential,
} from "./social-credential.store.ts";
import type { SocialIdentity } from "./social-identity.ts";

/** The row of `users` has the e-mail address that the provider gives. */
const hasAddress = (email: string | null): SQL => (email === null ? sql`false` : eq(users.email, email));

/** The provider vouches for an e-mail address that another account gave up and can still reclaim. */
const isReservedAddress = (deps: AccountDeps, { email, isEmailAuthoritative }: SocialIdentity): SQL =>
  isEmailAuthoritative ? isReserved(deps, email) : sql`false`;

/** The SQL that finds the identity's account and decides whether it may sign in. */
function conditionsOf(deps: AccountDeps, identity: SocialIdentity, account: NewAccount) {
  const address = hasAddress(identity.email);
  const isOwnedAddress = identity.isEmailAuthoritative ? address : sql`false`;
  const linked = linkedUser(identity);
  const isTaken = sql`exists (select 1 from users where ${address})`;
  const isAllowed = sql`(case when ${linked} is not null then exists (select 1 from users where id = ${linked} and ${maySignIn})
    when ${isTaken} then exists (select 1 from users where ${isOwnedAddress} and ${maySignIn}
      and not exists (select 1 from social_accounts where user_id = users.id and provider = ${providerOf(identity)}))
    else ${hasAvailableUsername(account)} and not ${isReservedAddress(deps, identity)} end)`;
  return { linked, isOwnedAddress, isTaken, isAllowed };
}

/** Selects the state that a sign-in depends on or leaves. */
function readOutcome(
  deps: AccountDeps,
  redemption: CredentialUse,
  identity: SocialIdentity,
  call: IdempotentCall | undefined,
) {
  const ofUser = (id: SQL) => sql`${sessions.userId} = ${linkedUser(identity)} and ${sessions.id} = ${id}`;
  return {
    credential: selectCredential(deps, redemption.credentialHash),
    user: selectUser(deps, sql`${users.id} = ${linkedUser(identity)}`),
    session: deps.db
      .select()
      .from(sessions)
      .where(ofUser(sql`(select session_id from social_proofs where proof_hash = ${redemption.credentialHash})`)),
    boundSession: deps.db
      .select()
      .from(sessions)
      .where(ofUser(sql`(select result_id from idempotency_keys where key_hash = ${call?.keyHash ?? ""})`)),
    binding: findBinding(deps, call),
    reserved: deps.db.select({ one: sql`1` }).from(sql`(select 1)`).where(isReservedAddress(deps, identity)),
    holder: deps.db
      .select({ maySignIn: sql<number>`${maySignIn}` })
      .from(users)
      .where(hasAddress(identity.email)),
  };
}

type Found = { [K in keyof ReturnType<typeof readOutcome>]: Awaited<ReturnType<typeof readOutcome>[K]> };

function describeOutcome(found: Found) {
  return {
    credential: found.credential[0],
    user: found.user[0],
    session: found.session[0],
    boundSession: found.boundSession[0],
    binding: found.binding?.[0],
    /** The user with the e-mail address, whether or not this is the user who signs in. */
    holder: found.holder[0],
    isReserved: found.reserved.length > 0,
  };
}

/** For ID tokens: whether `signInByIdentity` would sign in, and the outcome of an earlier call. Writes nothing. */
export async function previewSignIn(
  deps: AccountDeps,
  redemption: CredentialUse,
  identity: SocialIdentity,
  account: NewAccount,
  call: IdempotentCall | undefined,
) {
  const { isAllowed } = conditionsOf(deps, identity, account);
  const isUnused = sql`not exists (select 1 from social_proofs where proof_hash = ${redemption.credentialHash})`;
  const { allowed, ...found } = await runBatch(
    deps,
    mergeStatements(
      {
        allowed: deps.db
          .select({ one: sql`1` })
          .from(sql`(select 1)`)
          .where(sql`${isAllowed} and ${isUnused} and not ${isBound(deps, call)}`),
      },
      readOutcome(deps, redemption, identity, call),
    ),
  );
  return { ...describeOutcome(found), isAllowed: allowed.length > 0, endedSessions: [], events: [] };
}

/**
 * Signs in with a provider's identity, in one transaction: as the user linked to it; else as the user with the e-mail
 * address, who is then linked, if the provider vouches for the address and the user has no other account of the
 * provider; else as a new user, unless the address is taken or reserved. Redeems the credential and binds the
 * idempotency key. If none of the three applies or the account may not sign in, changes nothing.
 */
export async function signInByIdentity(
  deps: AccountDeps,
  client: Client,
  redemption: CredentialUse,
  social: SocialAccount,
  account: NewAccount,
  call: IdempotentCall | undefined,
) {
  const { identity } = social;
  const provider = providerOf(identity);
  const { email, isEmailAuthoritative } = identity;
  const { linked, isOwnedAddress, isTaken, isAllowed } = conditionsOf(deps, identity, account);
  const isRedeemed = isCredentialUsedByThisInvocation(deps, redemption);
  const isNew = accountExists(account);
  const isExisting = sql`${isRedeemed} and not ${isNew}`;
  const writes = mergeStatements(
    {
      redeemedCredential: redeemCredential(deps, redemption, sql`${isAllowed} and not ${isBound(deps, call)}`),
    },
    newAccount(
      deps,
      client,
      account,
      {
        socialProvider: provider,
        email: isEmailAuthoritative ? email : null,
        phoneNumber: null,
        fullName: identity.name,
        profilePicture: identity.picture,
        socialProfileData: profileDataOf(identity),
        sessionId: redemption.sessionId,
      },
      sql`${isRedeemed} and ${linked} is null and not ${isTaken}`,
    ),
    linkAccount(
      deps,
      client,
      social,
      {
        userId: sql`coalesce((select id from users where id = ${account.userId}), (select id from users where ${isOwnedAddress}))`,
        isNew,
        actorSessionId: redemption.sessionId,
      },
      isRedeemed,
    ),
    {
      newDeviceEvent: announceNewDevice(
        deps,
        { userId: linked, sessionId: redemption.sessionId, network: client.network },
        isExisting,
      ),
    },
    enterAccount(
      deps,
      client,
      {
        userId: linked,
        isAccount: sql`${users.id} = ${linked}`,
        verifies: users.emailVerified,
        // `is true`, because comparing an address that is NULL gives NULL.
        verifiesWhere: sql`(${isOwnedAddress}) is true`,
        method: provider,
        isTestIdentifier: false,
        sessionId: redemption.sessionId,
        identities: account.identities,
      },
      isExisting,
    ),
    liftHardLockout(deps, linked, isRedeemed),
    openSession(deps, client, { id: redemption.sessionId, userId: linked, method: provider }, isRedeemed),
    reviveLink(deps, client, identity, redemption.sessionId, isRedeemed),
    {
      network: rememberNetwork(deps, linked, client.network, isRedeemed),
      bind: bindSession(deps, call, redemption.sessionId, isRedeemed),
    },
  );
  const reads = readOutcome(deps, redemption, identity, call);
  const found = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ credential }) => credential[0]?.usedBy === deps.invocationId,
  });
  return {
    ...describeOutcome(found),
    endedSessions: found.endedSessions?.map(({ id }) => id) ?? [],
    events: eventsOf(
      found.newAccountEvent,
      found.changeEvent,
      found.newDeviceEvent,
      found.linkEvent,
      found.linkChangeEvent,
      found.revivalEvent,
      found.revivalChangeEvent,
      found.welcomeEvent,
    ),
  };
}

export type SocialOutcome = Awaited<ReturnType<typeof signInByIdentity>>;
