import { and, eq, sql } from "drizzle-orm";
import { kyc } from "../../db/kyc-schema.ts";
import { users } from "../../db/user-schema.ts";
import { runBatch } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import { isSignedIn } from "../../sessions/session.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";

export type KycRow = typeof kyc.$inferSelect;

/** Selects the caller's KYC: no row if the session has ended; `kyc` is null if nothing was submitted. */
export function selectOwnKyc(deps: Pick<Deps, "db" | "now">, caller: AccessClaims) {
  return deps.db
    .select({ kyc })
    .from(users)
    .leftJoin(kyc, eq(kyc.userId, users.id))
    .where(and(eq(users.id, caller.userId), isSignedIn(deps, caller)));
}

/** The caller's KYC; null if there is none, undefined if the session has ended. */
export async function findOwnKyc(
  deps: Pick<Deps, "db" | "now" | "log">,
  caller: AccessClaims,
): Promise<KycRow | null | undefined> {
  const { found } = await runBatch(deps, { found: selectOwnKyc(deps, caller) });
  return found[0]?.kyc;
}

/** What the audit log records of a KYC: never the number. */
export const auditedKyc = sql.raw(`json_object('document_type', kyc.document_type, 'document_number', '***',
  'document_front', kyc.front_document_id, 'document_back', kyc.back_document_id, 'status', kyc.status,
  'rejection_reason', kyc.rejection_reason, 'version', kyc.version, 'first_approved_by', kyc.first_approved_by)`);
