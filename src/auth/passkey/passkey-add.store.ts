import { and, asc, eq, sql } from "drizzle-orm";
import { passkeys } from "../../db/identity-schema.ts";
import { profiles, users } from "../../db/user-schema.ts";
import { recordAudit } from "../../platform/data/audit.ts";
import { commit } from "../../platform/data/commit.ts";
import { insertWhere, instantOf, mergeStatements, runBatch } from "../../platform/data/database.ts";
import { eventsOf, recordEvent } from "../../platform/data/outbox.ts";
import type { Client } from "../../platform/http/client.ts";
import { isSignedIn } from "../../sessions/session.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { tellVerifiedAddresses } from "../identity/security-message.store.ts";
import type { ChallengeStage } from "./passkey-challenge.ts";
import { type OwnDeps, obstacleToAdd, selectOwnPasskey, selectState } from "./passkey-rules.store.ts";
import { isChallengeUsedByThisInvocation, selectUse, useChallenge } from "./passkey-use.store.ts";
import type { NewPasskey } from "./webauthn.ts";

/**
 * What the options of a ceremony need: the caller, the obstacle to adding a passkey, and the caller's passkeys. `owner`
 * is undefined if the session has ended.
 */
export async function findPasskeyOwner(deps: OwnDeps, caller: AccessClaims) {
  const isOwn = and(eq(users.id, caller.userId), isSignedIn(deps, caller));
  const { owner, own, state } = await runBatch(deps, {
    owner: deps.db
      .select({
        username: users.username,
        identifier: sql<
          string | null
        >`case when users.email_verified then users.email when users.phone_verified then users.phone_number end`.as(
          "identifier",
        ),
        fullName: profiles.fullName,
      })
      .from(users)
      .leftJoin(profiles, eq(profiles.userId, users.id))
      .where(isOwn),
    own: deps.db
      .select({ credentialId: passkeys.credentialId, transports: passkeys.transports })
      .from(passkeys)
      .where(and(eq(passkeys.userId, caller.userId), isSignedIn(deps, caller)))
      .orderBy(asc(passkeys.createdAt)),
    state: selectState(deps, caller, obstacleToAdd(deps, caller)),
  });
  return { owner: owner[0], own, ...state[0] };
}

/**
 * Adds a passkey and uses the challenge, in one transaction, with an audit row, a notice and messages; closes the
 * enrolment window of a member of staff. Changes nothing if there is an obstacle, or the challenge can only repeat a
 * call.
 *
 * @returns the passkey, whether this call or the one that it repeats added it; else undefined, with the obstacle.
 */
export async function addPasskey(
  deps: OwnDeps,
  client: Client,
  caller: AccessClaims,
  added: NewPasskey & { challenge: string; stage: ChallengeStage; name: string | null },
) {
  const { userId, sessionId } = caller;
  const id = deps.newId();
  const { challenge, stage, name, ...passkey } = added;
  const use = { challenge, usedFor: "REGISTER", sessionId } as const;
  const isUsed = isChallengeUsedByThisInvocation(deps, use);
  const isUnknown = sql`not exists (select 1 from passkeys where credential_id = ${passkey.credentialId})`;
  const mayAdd = sql`${isSignedIn(deps, caller)} and ${isUnknown} and exists (select 1 from users where id = ${userId}
    and ${obstacleToAdd(deps, caller)} is null)`;
  const writes = mergeStatements(
    {
      usedChallenge: useChallenge(deps, use, stage, mayAdd),
      passkey: insertWhere(
        deps,
        passkeys,
        {
          id,
          userId,
          ...passkey,
          name,
          createdAt: instantOf(deps.now()),
          lastUsedAt: null,
        },
        isUsed,
      ),
      audit: recordAudit(
        deps,
        client,
        {
          userId,
          action: "CREATE",
          entityType: "passkey",
          entityId: id,
          newValues: sql`json_object('name', ${name}, 'aaguid', ${passkey.aaguid}, 'is_synced', json(${String(passkey.isSynced)}))`,
          actorId: userId,
          sessionId,
        },
        isUsed,
      ),
      closedWindow: deps.db
        .update(users)
        .set({ passkeyEnrolmentUntil: null })
        .where(sql`${users.id} = ${userId} and ${users.passkeyEnrolmentUntil} is not null and ${isUsed}`),
      addedEvent: recordEvent(
        deps,
        { type: "auth.passkey_added", userId, payload: JSON.stringify({ passkey_id: id }), queue: "tasks" },
        isUsed,
      ),
    },
    tellVerifiedAddresses(deps, userId, "PASSKEY_ADDED", isUsed),
  );
  const reads = {
    use: selectUse(deps, use),
    found: selectOwnPasskey(deps, caller, sql`${passkeys.credentialId} = ${passkey.credentialId}`),
    state: selectState(deps, caller, obstacleToAdd(deps, caller)),
  };
  const found = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ use: [row] }) => row?.usedBy === deps.invocationId,
  });
  const [row] = found.use;
  const isOwnUse = row?.usedFor === "REGISTER" && row.sessionId === sessionId;
  return {
    passkey: isOwnUse ? found.found[0] : undefined,
    isUsed: row !== undefined,
    state: found.state[0],
    events: eventsOf(found.addedEvent, found.emailMessage, found.phoneMessage),
  };
}
