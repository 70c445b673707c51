import { eq, type SQL, sql } from "drizzle-orm";
import { sessions } from "../../db/sign-in-schema.ts";
import { users } from "../../db/user-schema.ts";
import { commit } from "../../platform/data/commit.ts";
import { runBatch } from "../../platform/data/database.ts";
import { findBinding, type IdempotentCall, isBound } from "../../platform/data/idempotency.ts";
import { eventsOf } from "../../platform/data/outbox.ts";
import type { Client } from "../../platform/http/client.ts";
import { openSession } from "../../sessions/session-open.store.ts";
import { selectUser } from "../../users/user.store.ts";
import { enterAccount, mayAct } from "../account/login.store.ts";
import { hasFreeName, isMade, type NewAccount, newAccount } from "../account/new-account.store.ts";
import { type AccountDeps, bindSession } from "../account/sign-in.store.ts";
import { announceNewDevice, rememberNetwork } from "../device/new-device.store.ts";
import { liftHardLockout } from "../otp/otp-guard.store.ts";
import { linkAccount, linkedUser, profileDataOf, providerOf, type SocialAccount } from "./social-account.store.ts";
import type { SocialIdentity } from "./social-identity.ts";
import { applyProof, findProof, isAppliedByThisInvocation, type ProofUse } from "./social-proof.store.ts";

/** The user whose e-mail address the provider names, as a condition on `users`. */
const hasAddress = (email: string | null): SQL => (email === null ? sql`false` : eq(users.email, email));

/** Who the identity is to us, and whether it may sign in. */
function conditionsOf(identity: SocialIdentity, account: NewAccount) {
  const address = hasAddress(identity.email);
  const ownAddress = identity.isEmailAuthoritative ? address : sql`false`;
  const linked = linkedUser(identity);
  const isTaken = sql`exists (select 1 from users where ${address})`;
  const isAllowed = sql`(case when ${linked} is not null then exists (select 1 from users where id = ${linked} and ${mayAct})
    when ${isTaken} then exists (select 1 from users where ${ownAddress} and ${mayAct}
      and not exists (select 1 from social_accounts where user_id = users.id and provider = ${providerOf(identity)}))
    else ${hasFreeName(account)} end)`;
  return { linked, ownAddress, isTaken, isAllowed };
}

/** Everything a sign-in leaves behind: the caller tells from it what happened. */
function readOutcome(deps: AccountDeps, use: ProofUse, identity: SocialIdentity, call: IdempotentCall | undefined) {
  return {
    proof: findProof(deps, use.proofHash),
    user: selectUser(deps, sql`${users.id} = ${linkedUser(identity)}`),
    session: deps.db
      .select()
      .from(sessions)
      .where(eq(sessions.id, sql`(select session_id from social_proofs where proof_hash = ${use.proofHash})`)),
    boundSession: deps.db
      .select()
      .from(sessions)
      .where(eq(sessions.id, sql`(select result_id from idempotency_keys where key_hash = ${call?.keyHash ?? ""})`)),
    binding: findBinding(deps, call),
    holder: deps.db
      .select({ mayAct: sql<number>`${mayAct}` })
      .from(users)
      .where(hasAddress(identity.email)),
  };
}

type Found = { [K in keyof ReturnType<typeof readOutcome>]: Awaited<ReturnType<typeof readOutcome>[K]> };

function describeOutcome(found: Found) {
  return {
    proof: found.proof[0],
    user: found.user[0],
    session: found.session[0],
    boundSession: found.boundSession[0],
    binding: found.binding?.[0],
    /** Who has the address, whether or not they are the one who signs in. */
    holder: found.holder[0],
  };
}

/** What `signInByIdentity` would do, without doing it: whether it would sign in, and what an earlier call has done. */
export async function previewSignIn(
  deps: AccountDeps,
  use: ProofUse,
  identity: SocialIdentity,
  account: NewAccount,
  call: IdempotentCall | undefined,
) {
  const { isAllowed } = conditionsOf(identity, account);
  const isUnused = sql`not exists (select 1 from social_proofs where proof_hash = ${use.proofHash})`;
  const { allowed, ...found } = await runBatch(deps, {
    allowed: deps.db
      .select({ one: sql`1` })
      .from(sql`(select 1)`)
      .where(sql`${isAllowed} and ${isUnused} and not ${isBound(deps, call)}`),
    ...readOutcome(deps, use, identity, call),
  });
  return { ...describeOutcome(found), isAllowed: allowed.length > 0, endedSessions: [], events: [] };
}

/**
 * Signs in by a provider's identity, in one transaction: as the user who has it linked; else as the one whose e-mail
 * address the provider vouches for, linking it; else as a new user, unless somebody has that address already. Uses the
 * proof up and binds the idempotency key; nothing at all where none of the three fits, or the account may not sign in.
 */
export async function signInByIdentity(
  deps: AccountDeps,
  client: Client,
  use: ProofUse,
  social: SocialAccount,
  account: NewAccount,
  call: IdempotentCall | undefined,
) {
  const { identity } = social;
  const provider = providerOf(identity);
  const { email, isEmailAuthoritative } = identity;
  const { linked, ownAddress, isTaken, isAllowed } = conditionsOf(identity, account);
  const used = isAppliedByThisInvocation(deps, use);
  const isNew = isMade(account);
  const userId = sql`${linked}`;
  const method = provider;
  const entered = sql`${used} and not ${isNew}`;
  const writes = {
    used: applyProof(deps, use, sql`${isAllowed} and not ${isBound(deps, call)}`),
    ...newAccount(
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
        sessionId: use.sessionId,
      },
      sql`${used} and ${linked} is null and not ${isTaken}`,
    ),
    ...linkAccount(
      deps,
      client,
      social,
      {
        userId: sql`coalesce((select id from users where id = ${account.userId}), (select id from users where ${ownAddress}))`,
        isNew,
        actorSessionId: use.sessionId,
      },
      used,
    ),
    newDeviceEvent: announceNewDevice(deps, { userId, sessionId: use.sessionId, network: client.network }, entered),
    ...prefixed(
      enterAccount(
        deps,
        client,
        {
          userId,
          isAccount: sql`${users.id} = ${linked}`,
          proves: users.emailVerified,
          provesWhere: ownAddress,
          method,
          isTestIdentifier: false,
          sessionId: use.sessionId,
          identities: account.identities,
        },
        entered,
      ),
    ),
    ...liftHardLockout(deps, linked, used),
    ...openSession(deps, client, { id: use.sessionId, userId, method }, used),
    network: rememberNetwork(deps, userId, client.network, used),
    bind: bindSession(deps, call, use.sessionId, used),
  };
  const reads = readOutcome(deps, use, identity, call);
  const found = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ proof }) => proof[0]?.usedBy === deps.invocationId,
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
      found.welcomeEvent,
    ),
  };
}

export type SocialOutcome = Awaited<ReturnType<typeof signInByIdentity>>;

/** The statements of entering beside those of making an account, whose names they share. */
function prefixed(entry: ReturnType<typeof enterAccount>) {
  const { changeEvent, bonusEntry, bonus, audit, account } = entry;
  return { changeEvent, entryBonusEntry: bonusEntry, entryBonus: bonus, entryAudit: audit, enteredAccount: account };
}
