import { and, eq, type SQL, sql } from "drizzle-orm";
import { passkeys, passkeyUses } from "../../db/identity-schema.ts";
import { insertWhere, instantOf, mergeStatements } from "../../platform/data/database.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import { DAY_MS } from "../../platform/time.ts";
import { tellVerifiedAddresses } from "../identity/security-message.store.ts";
import type { ChallengeStage } from "./passkey-challenge.ts";
import type { UsedPasskey } from "./webauthn.ts";

// A challenge can be used once: its use inserts a row keyed by the challenge, and only the first insert succeeds.

type UseDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId">;

/** Minimum time between two warnings about one passkey. */
const SUSPECT_INTERVAL_MS = DAY_MS;

/** A challenge that was answered. */
export interface ChallengeUse {
  challenge: string;
  usedFor: (typeof passkeyUses.$inferInsert)["usedFor"];
  /** The session that the use opens, or in which it takes place. */
  sessionId: string;
}

/** A valid assertion of a known passkey. */
export interface VerifiedAssertion extends ChallengeUse {
  passkeyId: string;
  userId: string;
  used: UsedPasskey;
}

/**
 * Uses the challenge if its stage allows it, `condition` holds and it is unused. Must come before the statements that
 * depend on it.
 */
export function useChallenge(
  deps: UseDeps,
  { challenge, usedFor, sessionId }: ChallengeUse,
  stage: ChallengeStage,
  condition: SQL,
) {
  return insertWhere(
    deps,
    passkeyUses,
    { challenge, usedFor, usedBy: deps.invocationId, usedAt: instantOf(deps.now()), sessionId },
    stage === "use" ? sql`${condition} and ${isUnused(challenge)}` : sql`false`,
  ).onConflictDoNothing();
}

/** Whether this invocation used the challenge. */
export function isChallengeUsedByThisInvocation(
  deps: Pick<Deps, "invocationId">,
  { challenge }: Pick<ChallengeUse, "challenge">,
) {
  return sql`exists (select 1 from passkey_uses where challenge = ${challenge} and used_by = ${deps.invocationId})`;
}

const isUnused = (challenge: string) => sql`not exists (select 1 from passkey_uses where challenge = ${challenge})`;

/** Selects the use of the challenge; no row if it is unused. */
export function selectUse(deps: Pick<Deps, "db">, { challenge }: Pick<ChallengeUse, "challenge">) {
  return deps.db.select().from(passkeyUses).where(eq(passkeyUses.challenge, challenge));
}

/**
 * The passkey exists, and its counter gives no reason to suspect a copy. Only the counter of a device-bound passkey
 * that counts its uses is compared, because the copies of a synced one share none (WebAuthn Level 3 section 6.1.1).
 */
export function isPasskeyAcceptable({ passkeyId, used }: Pick<VerifiedAssertion, "passkeyId" | "used">): SQL {
  return sql`exists (select 1 from passkeys where id = ${passkeyId} and not ${isSuspect(used)})`;
}

const isSuspect = ({ counter }: UsedPasskey) =>
  sql`(not is_backup_eligible and (counter > 0 or ${counter} > 0) and counter >= ${counter})`;

/**
 * Stores the passkey's new counter, sync state and time of use if `isUsed` holds. The counter never decreases, even if
 * uses arrive out of order.
 */
export function recordPasskeyUse(deps: UseDeps, { passkeyId, used }: VerifiedAssertion, isUsed: SQL) {
  return {
    usedPasskey: deps.db
      .update(passkeys)
      .set({
        counter: sql`max(${passkeys.counter}, ${used.counter})`,
        isSynced: used.isSynced,
        lastUsedAt: deps.now(),
      })
      .where(sql`${passkeys.id} = ${passkeyId} and ${isUsed}`),
  };
}

/**
 * Warns the owner, at most once a day, that the counter of a device-bound passkey did not grow and somebody may have a
 * copy of it. A repeated call whose first attempt used the challenge is not reported.
 */
export function reportSuspectPasskey(
  deps: UseDeps,
  { passkeyId, userId, challenge, used }: VerifiedAssertion,
  stage: ChallengeStage,
) {
  if (stage !== "use") return undefined;
  const isReportedByThisInvocation = sql`exists (select 1 from passkeys where id = ${passkeyId} and suspected_by = ${deps.invocationId})`;
  return mergeStatements(
    {
      suspected: deps.db
        .update(passkeys)
        .set({ suspectedAt: deps.now(), suspectedBy: deps.invocationId })
        .where(
          sql`${passkeys.id} = ${passkeyId} and ${isSuspect(used)} and ${isUnused(challenge)}
          and coalesce(${passkeys.suspectedAt}, 0) <= ${deps.now() - SUSPECT_INTERVAL_MS}`,
        ),
      suspectEvent: recordEvent(
        deps,
        {
          type: "auth.passkey_suspect",
          userId,
          payload: JSON.stringify({ passkey_id: passkeyId }),
          queue: "tasks",
        },
        isReportedByThisInvocation,
      ),
    },
    tellVerifiedAddresses(deps, userId, "PASSKEY_SUSPECT", isReportedByThisInvocation),
  );
}

/** Selects what is needed to check an assertion; no row if the credential is unknown or `condition` does not hold. */
export function selectPasskeyKey(deps: Pick<Deps, "db">, credentialId: string, condition?: SQL) {
  return deps.db
    .select({
      id: passkeys.id,
      userId: passkeys.userId,
      publicKey: passkeys.publicKey,
      isBackupEligible: passkeys.isBackupEligible,
    })
    .from(passkeys)
    .where(and(eq(passkeys.credentialId, credentialId), condition));
}
