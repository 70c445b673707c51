import { and, eq, type SQL, sql } from "drizzle-orm";
import { otpChallenges, type ProofMethod, sessions } from "../../db/sign-in-schema.ts";
import { users } from "../../db/user-schema.ts";
import { recordAudit } from "../../platform/data/audit.ts";
import { commit } from "../../platform/data/commit.ts";
import { instantOf, mergeStatements } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { isSignedIn } from "../../sessions/session.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { hasLiveToken, isOwnIdentifier, isUsedByThisInvocation } from "../otp/verification-token.store.ts";

type ProofDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/** What a session was proved with. */
export interface Proof {
  method: ProofMethod | SQL;
  /** Id of the passkey, if one proved the session. */
  passkeyId?: string | SQL;
}

/**
 * Marks the caller's session as proved if `isAccepted` holds, with an audit row. Every kind of proof uses it, after the
 * statement that redeems the token or uses the challenge, whose condition includes `isSignedIn`.
 */
export function recordProof(
  deps: Omit<ProofDeps, "log">,
  client: Client,
  caller: AccessClaims,
  { method, passkeyId }: Proof,
  isAccepted: SQL,
) {
  const { sessionId, userId } = caller;
  const now = instantOf(deps.now());
  return {
    proofAudit: recordAudit(
      deps,
      client,
      {
        userId,
        action: "LOGIN",
        entityType: "session",
        entityId: sessionId,
        newValues: sql`json_object('step', 'proof', 'method', ${method})`,
        actorId: userId,
        sessionId,
      },
      isAccepted,
    ),
    provedSession: deps.db
      .update(sessions)
      .set({
        provedAt: now,
        provedBy: sql`${method}`,
        ...(passkeyId === undefined ? {} : { passkeyAt: now, passkeyId: sql`${passkeyId}` }),
      })
      .where(and(eq(sessions.id, sessionId), eq(sessions.userId, userId), isAccepted)),
  };
}

/**
 * Redeems the verification token to prove the caller's session, in one transaction. Changes nothing unless the caller
 * is signed in and the token is live and belongs to one of the caller's identifiers.
 *
 * @returns `isSignedIn`; `token` with its use, undefined if it belongs to somebody else or was never issued.
 */
export async function proveByToken(deps: ProofDeps, client: Client, caller: AccessClaims, cid: string) {
  const isToken = and(eq(otpChallenges.cid, cid), isOwnIdentifier(caller.userId));
  const method = sql`(select iif(instr(identifier, '@') > 0, 'EMAIL', 'PHONE') from otp_challenges where cid = ${cid})`;
  const writes = mergeStatements(
    {
      redeemedToken: deps.db
        .update(otpChallenges)
        .set({
          usedBy: deps.invocationId,
          usedAt: deps.now(),
          usedFor: "PROOF",
          sessionId: caller.sessionId,
        })
        .where(and(isToken, hasLiveToken(deps), isSignedIn(deps, caller))),
    },
    recordProof(deps, client, caller, { method }, isUsedByThisInvocation(deps, { cid })),
  );
  const reads = {
    caller: deps.db
      .select({ id: users.id })
      .from(users)
      .where(and(eq(users.id, caller.userId), isSignedIn(deps, caller))),
    token: deps.db
      .select({
        usedBy: otpChallenges.usedBy,
        usedAt: otpChallenges.usedAt,
        usedFor: otpChallenges.usedFor,
        sessionId: otpChallenges.sessionId,
      })
      .from(otpChallenges)
      .where(isToken),
  };
  const found = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ token }) => token[0]?.usedBy === deps.invocationId,
  });
  return { isSignedIn: found.caller.length > 0, token: found.token[0] };
}
