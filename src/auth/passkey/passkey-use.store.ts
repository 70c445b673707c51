import { and, eq, type SQL, sql } from "drizzle-orm";
import { passkeys, passkeyUses } from "../../db/identity-schema.ts";
import { insertWhere, instantOf, mergeStatements } from "../../platform/data/database.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import { DAY_MS } from "../../platform/time.ts";
import { tellVerifiedAddresses } from "../identity/security-message.store.ts";
import type { UsedPasskey } from "./webauthn.ts";

// The single use of a challenge, by a row at the end: whoever inserts it first has used the challenge.

type UseDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId">;

/** How often the owner is told of a counter that did not grow, per passkey. */
const SUSPECT_INTERVAL_MS = DAY_MS;

/** A challenge that was answered. */
export interface ChallengeUse {
  challenge: string;
  usedFor: (typeof passkeyUses.$inferInsert)["usedFor"];
  /** The session that the use opens or that it belongs to. */
  sessionId: string;
}

/** A valid assertion of a known passkey. */
export interface VerifiedAssertion extends ChallengeUse {
  passkeyId: string;
  userId: string;
  used: UsedPasskey;
}

/** Uses the challenge if `condition` holds and it is unused. Belongs first into the batch of its effect. */
export function useChallenge(deps: UseDeps, { challenge, usedFor, sessionId }: ChallengeUse, condition: SQL) {
  return insertWhere(
    deps,
    passkeyUses,
    { challenge, usedFor, usedBy: deps.invocationId, usedAt: instantOf(deps.now()), sessionId },
    sql`${condition} and ${isUnused(challenge)}`,
  ).onConflictDoNothing();
}

/** This invocation used the challenge. */
export function isChallengeUsedHere(deps: Pick<Deps, "invocationId">, { challenge }: Pick<ChallengeUse, "challenge">) {
  return sql`exists (select 1 from passkey_uses where challenge = ${challenge} and used_by = ${deps.invocationId})`;
}

const isUnused = (challenge: string) => sql`not exists (select 1 from passkey_uses where challenge = ${challenge})`;

/** Selects the use of the challenge; no row if it is unused. */
export function selectUse(deps: Pick<Deps, "db">, { challenge }: Pick<ChallengeUse, "challenge">) {
  return deps.db.select().from(passkeyUses).where(eq(passkeyUses.challenge, challenge));
}

/**
 * The passkey still exists, and its counter has grown. A passkey that may be copied shares no counter between its copies,
 * so only a device-bound one that counts is compared (WebAuthn Level 3 section 6.1.1).
 */
export function mayAssert({ passkeyId, used }: Pick<VerifiedAssertion, "passkeyId" | "used">): SQL {
  return sql`exists (select 1 from passkeys where id = ${passkeyId} and not ${isSuspect(used)})`;
}

const isSuspect = ({ counter }: UsedPasskey) =>
  sql`(not is_backup_eligible and (counter > 0 or ${counter} > 0) and counter >= ${counter})`;

/** Keeps the passkey's counter and state if `isUsed` holds. The counter never goes back, whatever order uses arrive in. */
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
 * Tells the owner, once a day, that the counter of a device-bound passkey did not grow: somebody may have a copy of it.
 * The repetition of a call that used the challenge is no such case.
 */
export function reportSuspectPasskey(deps: UseDeps, { passkeyId, userId, challenge, used }: VerifiedAssertion) {
  const isReportedHere = sql`exists (select 1 from passkeys where id = ${passkeyId} and suspected_by = ${deps.invocationId})`;
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
        isReportedHere,
      ),
    },
    tellVerifiedAddresses(deps, userId, "PASSKEY_SUSPECT", isReportedHere),
  );
}

/** Selects what is needed to check an assertion; no row for a credential that is unknown or does not meet `which`. */
export function selectPasskeyKey(deps: Pick<Deps, "db">, credentialId: string, which?: SQL) {
  return deps.db
    .select({
      id: passkeys.id,
      userId: passkeys.userId,
      publicKey: passkeys.publicKey,
      isBackupEligible: passkeys.isBackupEligible,
    })
    .from(passkeys)
    .where(and(eq(passkeys.credentialId, credentialId), which));
}
