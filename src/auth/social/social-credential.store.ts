import { and, eq, type SQL, sql } from "drizzle-orm";
import { socialProofs } from "../../db/social-schema.ts";
import { insertWhere, instantOf } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import { MINUTE_MS } from "../../platform/time.ts";
import { ACCEPTED_MS } from "./id-token.ts";

/** Lifetime of a one-time code, in milliseconds. */
const CODE_TTL_MS = MINUTE_MS;

type CredentialDeps = Pick<Deps, "db" | "now" | "invocationId">;

export type CredentialRow = typeof socialProofs.$inferSelect;

/** A one-time code to record, by its hash, with the encrypted identity. */
export interface NewCode {
  codeHash: string;
  sealedIdentity: string;
  flowHash: string;
  codeChallenge: string | null;
}

/** Records a one-time code that is valid for a minute. */
export function insertCode(deps: CredentialDeps, code: NewCode) {
  const { codeHash: credentialHash, ...rest } = code;
  const now = deps.now();
  return deps.db
    .insert(socialProofs)
    .values({ proofHash: credentialHash, ...rest, createdAt: now, expiresAt: now + CODE_TTL_MS, isBurned: false });
}

/** Selects the row of a one-time code or of a used ID token. */
export function selectCredential(deps: Pick<Deps, "db">, credentialHash: string) {
  return deps.db.select().from(socialProofs).where(eq(socialProofs.proofHash, credentialHash));
}

/** Invalidates an unused code that somebody tried to redeem without owning its flow. */
export function invalidateCode(deps: CredentialDeps, credentialHash: string) {
  return deps.db
    .update(socialProofs)
    .set({ isBurned: true })
    .where(sql`${eq(socialProofs.proofHash, credentialHash)} and used_by is null`);
}

/**
 * The redemption of a credential: a one-time code, which already has a row, or an ID token, which gets its row when
 * used and keeps it for as long as it could be accepted again.
 */
export interface CredentialUse {
  kind: "code" | "id_token";
  credentialHash: string;
  sessionId: string;
}

/** Redeems the credential if `condition` holds. It must be the first statement of the batch of its effect. */
export function redeemCredential(deps: CredentialDeps, redemption: CredentialUse, condition: SQL) {
  const now = deps.now();
  const { credentialHash, sessionId } = redemption;
  if (redemption.kind === "code") {
    return deps.db
      .update(socialProofs)
      .set({ usedBy: deps.invocationId, usedAt: instantOf(now), sessionId })
      .where(
        and(
          eq(socialProofs.proofHash, credentialHash),
          sql`used_by is null and not is_burned and expires_at > ${now}`,
          condition,
        ),
      );
  }
  return insertWhere(
    deps,
    socialProofs,
    {
      proofHash: credentialHash,
      createdAt: now,
      expiresAt: now + ACCEPTED_MS,
      usedBy: deps.invocationId,
      usedAt: now,
      isBurned: false,
      sessionId,
    },
    sql`not exists (select 1 from social_proofs where proof_hash = ${credentialHash}) and ${condition}`,
  );
}

/** This invocation redeemed the credential. */
export function isCredentialUsedByThisInvocation(
  deps: Pick<Deps, "invocationId">,
  { credentialHash }: CredentialUse,
): SQL {
  return sql`exists (select 1 from social_proofs where proof_hash = ${credentialHash} and used_by = ${deps.invocationId})`;
}
