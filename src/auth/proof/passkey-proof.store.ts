import { and, eq, sql } from "drizzle-orm";
import { passkeys } from "../../db/identity-schema.ts";
import { users } from "../../db/user-schema.ts";
import { commit } from "../../platform/data/commit.ts";
import { mergeStatements, runBatch } from "../../platform/data/database.ts";
import { eventsOf } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { isSignedIn } from "../../sessions/session.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import type { ChallengeStage } from "../passkey/passkey-challenge.ts";
import {
  isChallengeUsedByThisInvocation,
  isPasskeyAcceptable,
  recordPasskeyUse,
  reportSuspectPasskey,
  selectPasskeyKey,
  selectUse,
  useChallenge,
  type VerifiedAssertion,
} from "../passkey/passkey-use.store.ts";
import { recordProof } from "./proof.store.ts";

type ProofDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

const selectSignedIn = (deps: ProofDeps, caller: AccessClaims) =>
  deps.db
    .select({ id: users.id })
    .from(users)
    .where(and(eq(users.id, caller.userId), isSignedIn(deps, caller)));

/** What is needed to check an assertion by a passkey of the caller; `passkey` is undefined if they do not have it. */
export async function findOwnPasskeyKey(deps: ProofDeps, caller: AccessClaims, credentialId: string) {
  const { found, signedIn } = await runBatch(deps, {
    found: selectPasskeyKey(deps, credentialId, eq(passkeys.userId, caller.userId)),
    signedIn: selectSignedIn(deps, caller),
  });
  return { passkey: found[0], isSignedIn: signedIn.length > 0 };
}

/**
 * Proves the caller's session with a valid assertion by their own passkey and uses the challenge, in one transaction.
 * Changes nothing if the caller is not signed in, the challenge was used or can only repeat a call, or the passkey is
 * gone or suspect.
 */
export async function proveByPasskey(
  deps: ProofDeps,
  client: Client,
  caller: AccessClaims,
  assertion: VerifiedAssertion,
  stage: ChallengeStage,
) {
  const signedIn = isSignedIn(deps, caller);
  const isUsed = isChallengeUsedByThisInvocation(deps, assertion);
  const writes = mergeStatements(
    { usedChallenge: useChallenge(deps, assertion, stage, sql`${signedIn} and ${isPasskeyAcceptable(assertion)}`) },
    reportSuspectPasskey(deps, assertion, stage),
    recordPasskeyUse(deps, assertion, isUsed),
    recordProof(deps, client, caller, { method: "PASSKEY", passkeyId: assertion.passkeyId }, isUsed),
  );
  const found = await commit(deps, {
    writes,
    reads: { caller: selectSignedIn(deps, caller), use: selectUse(deps, assertion) },
    isCommitted: ({ use }) => use[0]?.usedBy === deps.invocationId,
  });
  return {
    isSignedIn: found.caller.length > 0,
    use: found.use[0],
    events: eventsOf(found.suspectEvent, found.emailMessage, found.phoneMessage),
  };
}
