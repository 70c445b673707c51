import { and, eq, type SQL, sql } from "drizzle-orm";
import { kycUploads } from "../../db/kyc-schema.ts";
import { commit } from "../../platform/data/commit.ts";
import { insertWhere, instantOf, runBatch } from "../../platform/data/database.ts";
import { type CallKey, isBound } from "../../platform/data/idempotency.ts";
import type { Deps } from "../../platform/deps.ts";
import { DAY_MS } from "../../platform/time.ts";
import { isSignedIn } from "../../sessions/session.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { selectOwnKyc } from "./kyc.store.ts";

/** Maximum number of uploads per user in 24 hours, accepted or refused (ASVS 5.2.4). */
export const uploadLimit = { count: 10, windowMs: DAY_MS };
/**
 * Maximum number of started uploads in that time, including those that do not count: interrupted, repeated, or failed
 * through the service's fault.
 */
export const startedUploadLimit = { count: 30, windowMs: uploadLimit.windowMs };

/** `submit` sends a complete KYC; `amend` changes the sent fields of an existing one. */
export type SubmissionKind = "submit" | "amend";

type UploadDeps = Pick<Deps, "db" | "now" | "invocationId" | "log">;

/** The caller is signed in and has no approved KYC; to amend, the caller has a KYC. */
export function mayChangeKyc(deps: UploadDeps, caller: AccessClaims, kind: SubmissionKind): SQL {
  const own = sql`select 1 from kyc where kyc.user_id = ${caller.userId}`;
  const isOpen =
    kind === "amend"
      ? sql`exists (${own} and kyc.status <> 'APPROVED')`
      : sql`not exists (${own} and kyc.status = 'APPROVED')`;
  return sql`${isSignedIn(deps, caller)} and ${isOpen}`;
}

/** This invocation has claimed an upload. */
export function hasClaimed(deps: UploadDeps): SQL {
  return sql`exists (select 1 from kyc_uploads where id = ${deps.invocationId})`;
}

/**
 * Counts this call as an upload if the caller may change the KYC and has uploads left today. A call with a key that is
 * already bound is a repetition: it is admitted and does not count.
 *
 * @returns `claim`, undefined if it was refused, and what decided that: the caller's KYC and the day's uploads
 *   including this one.
 */
export async function claimUpload(
  deps: UploadDeps,
  caller: AccessClaims,
  kind: SubmissionKind,
  key: CallKey | undefined,
) {
  const now = deps.now();
  const recent = sql`from kyc_uploads where user_id = ${caller.userId} and created_at > ${now - uploadLimit.windowMs}`;
  const isRepetition = isBound(deps, key);
  const writes = {
    claimed: insertWhere(
      deps,
      kycUploads,
      {
        id: deps.invocationId,
        userId: caller.userId,
        counts: sql`not ${isRepetition}`,
        createdAt: instantOf(now),
      },
      sql`(${isRepetition} or ((select count(*) ${recent} and counts) < ${uploadLimit.count}
          and ${mayChangeKyc(deps, caller, kind)}))
        and (select count(*) ${recent}) < ${startedUploadLimit.count} and ${isSignedIn(deps, caller)}`,
    ),
  };
  const reads = {
    own: selectOwnKyc(deps, caller),
    uploads: deps.db
      .select({
        counted: sql<number>`(select count(*) ${recent} and counts)`.as("counted"),
        oldestCountedAt: sql<number | null>`(select min(created_at) ${recent} and counts)`.as("oldest_counted_at"),
        started: sql<number>`(select count(*) ${recent})`.as("started"),
        oldestAt: sql<number | null>`(select min(created_at) ${recent})`.as("oldest_at"),
      })
      .from(sql`(select 1)`),
    claim: deps.db.select({ counts: kycUploads.counts }).from(kycUploads).where(eq(kycUploads.id, deps.invocationId)),
  };
  const { own, uploads, claim } = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ claim }) => claim.length > 0,
  });
  return {
    claim: claim[0],
    own: own[0],
    uploads: uploads[0] ?? { counted: 0, oldestCountedAt: null, started: 0, oldestAt: null },
  };
}

/** Gives this invocation's claim back: the upload no longer counts, but remains a started one. */
export async function giveBackUpload(deps: UploadDeps): Promise<void> {
  await runBatch(deps, {
    givenBack: deps.db
      .update(kycUploads)
      .set({ counts: false })
      .where(and(eq(kycUploads.id, deps.invocationId), eq(kycUploads.counts, true))),
  });
}
