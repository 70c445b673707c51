import { and, eq, type SQL, sql } from "drizzle-orm";
import { socialProofs } from "../../db/social-schema.ts";
import { insertWhere, instantOf } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";

/** How long a one-time code lives, in milliseconds. */
const CODE_TTL_MS = 60_000;
/** How long a use is remembered, in milliseconds: longer than an ID token is young enough to be used. */
const REMEMBERED_MS = 15 * 60_000;

type ProofDeps = Pick<Deps, "db" | "now" | "invocationId">;

export type ProofRow = typeof socialProofs.$inferSelect;

export interface NewCode {
  codeHash: string;
  sealedIdentity: string;
  flowHash: string;
  codeChallenge: string | null;
}

/** The statement that records a one-time code of a minute. */
export function insertCode(deps: ProofDeps, code: NewCode) {
  const { codeHash: proofHash, ...rest } = code;
  const now = deps.now();
  return deps.db
    .insert(socialProofs)
    .values({ proofHash, ...rest, createdAt: now, expiresAt: now + CODE_TTL_MS, isBurned: false });
}

export function findProof(deps: Pick<Deps, "db">, proofHash: string) {
  return deps.db.select().from(socialProofs).where(eq(socialProofs.proofHash, proofHash));
}

/** The statement that kills an unused code that was shown with a wrong proof. */
export function invalidateCode(deps: ProofDeps, proofHash: string) {
  return deps.db
    .update(socialProofs)
    .set({ isBurned: true })
    .where(sql`${eq(socialProofs.proofHash, proofHash)} and used_by is null`);
}

/** A code, which has a row, or an ID token, which gets one by its use. */
export interface ProofUse {
  kind: "code" | "id_token";
  proofHash: string;
  sessionId: string;
}

/** The statement that uses the proof up where `condition` holds: first of the batch of its effect. */
export function applyProof(deps: ProofDeps, use: ProofUse, condition: SQL) {
  const now = deps.now();
  const { proofHash, sessionId } = use;
  if (use.kind === "code") {
    return deps.db
      .update(socialProofs)
      .set({ usedBy: deps.invocationId, usedAt: instantOf(now), sessionId })
      .where(
        and(
          eq(socialProofs.proofHash, proofHash),
          sql`used_by is null and not is_burned and expires_at > ${now}`,
          condition,
        ),
      );
  }
  return insertWhere(
    deps,
    socialProofs,
    {
      proofHash,
      createdAt: now,
      expiresAt: now + REMEMBERED_MS,
      usedBy: deps.invocationId,
      usedAt: now,
      isBurned: false,
      sessionId,
    },
    sql`not exists (select 1 from social_proofs where proof_hash = ${proofHash}) and ${condition}`,
  );
}

/** Holds where this very invocation used the proof. */
export function isAppliedByThisInvocation(deps: Pick<Deps, "invocationId">, { proofHash }: ProofUse): SQL {
  return sql`exists (select 1 from social_proofs where proof_hash = ${proofHash} and used_by = ${deps.invocationId})`;
}
