import { and, eq, type SQL, sql } from "drizzle-orm";
import { kyc, kycDocuments } from "../../db/kyc-schema.ts";
import { auditLogs } from "../../db/platform-schema.ts";
import { isAudited, recordAudit, selectAudit } from "../../platform/data/audit.ts";
import { commit } from "../../platform/data/commit.ts";
import { insertWhere, instantOf, mergeStatements } from "../../platform/data/database.ts";
import { bindKey, findBinding, IDEMPOTENCY_TTL_MS, type IdempotentCall } from "../../platform/data/idempotency.ts";
import { eventsOf } from "../../platform/data/outbox.ts";
import type { Client } from "../../platform/http/client.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { changeUser } from "../user-change.store.ts";
import { auditedKyc, selectOwnKyc } from "./kyc.store.ts";
import { idsOf, maySubmit, type NewDocument, type Submission, type SubmitDeps } from "./kyc-reserve.store.ts";

/**
 * Makes the submission the caller's KYC in one transaction: pending files become live, previous ones are replaced, and
 * the KYC becomes PENDING with a new version, an audit row, an event and the key's binding.
 *
 * @returns `isDone`; if false, what decided it; the files that no KYC refers to any more; and the events to publish.
 */
export async function commitSubmission(
  deps: SubmitDeps,
  client: Client,
  caller: AccessClaims,
  submission: Submission,
  call: IdempotentCall | undefined,
) {
  const now = deps.now();
  const { userId } = caller;
  const { documents } = submission;
  const auditId = deps.newId();
  const newKycId = deps.newId();
  const isDone = isAudited(userId, auditId);
  const given = sql`select value from json_each(${idsOf(documents)})`;
  const own = sql`from kyc where kyc.user_id = ${userId}`;
  // A file that was swept meanwhile has no object.
  const arePending = sql`(select count(*) from kyc_documents where id in (${given}) and state = 'pending') = ${documents.length}`;
  const writes = mergeStatements(
    {
      audit: recordAudit(
        deps,
        client,
        {
          id: auditId,
          userId,
          action: sql`case when exists (select 1 ${own}) then 'UPDATE' else 'CREATE' end`,
          entityType: "kyc",
          entityId: sql`coalesce((select kyc.id ${own}), ${newKycId})`,
          oldValues: sql`(select ${auditedKyc} ${own})`,
          actorId: userId,
          sessionId: caller.sessionId,
        },
        sql`${maySubmit(deps, caller, submission, call)} and ${arePending}`,
      ),
      kyc: submission.kind === "submit" ? submitKyc(deps, userId, newKycId, submission, isDone) : undefined,
      amended: submission.kind === "amend" ? amendKyc(deps, userId, submission, isDone) : undefined,
      auditedChange: deps.db
        .update(auditLogs)
        .set({ newValues: sql`(select ${auditedKyc} ${own})` })
        .where(and(eq(auditLogs.userId, userId), eq(auditLogs.id, auditId))),
      live: deps.db
        .update(kycDocuments)
        .set({ state: "live" })
        .where(sql`${kycDocuments.id} in (${given}) and ${isDone}`),
      replaced: deps.db
        .update(kycDocuments)
        .set({ state: "replaced" })
        .where(
          sql`${kycDocuments.userId} = ${userId} and ${kycDocuments.state} = 'live' and ${isDone} and not exists (
          select 1 ${own} and (kyc.front_document_id = kyc_documents.id or kyc.back_document_id = kyc_documents.id))`,
        )
        .returning({ id: kycDocuments.id, objectKey: kycDocuments.objectKey }),
    },
    changeUser(deps, userId, isDone),
    {
      bind: bindKey(deps, call, { id: sql`(select kyc.id ${own})`, expiresAt: now + IDEMPOTENCY_TTL_MS }, isDone),
    },
  );
  const reads = {
    own: selectOwnKyc(deps, caller),
    binding: findBinding(deps, call),
    done: selectAudit(deps, userId, auditId),
  };
  const found = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ done }) => done.length > 0,
  });
  return {
    isDone: found.done.length > 0,
    own: found.own[0],
    binding: found.binding?.[0],
    replaced: found.replaced ?? [],
    events: eventsOf(found.changeEvent),
  };
}

const idOf = ({ documents }: Submission, side: NewDocument["side"]) =>
  documents.find((document) => document.side === side)?.id;

function submitKyc(deps: SubmitDeps, userId: string, newKycId: string, submission: Submission, isDone: SQL) {
  const { documentType, number } = submission;
  const front = idOf(submission, "front");
  if (documentType === undefined || !number || !front) throw new Error("a submission must be complete");
  const now = deps.now();
  const excluded = (column: string) => sql.raw(`excluded.${column}`);
  return insertWhere(
    deps,
    kyc,
    {
      userId,
      id: newKycId,
      documentType,
      documentNumberSealed: number.sealed,
      documentNumberKeyId: number.keyId,
      documentNumberIndex: number.index,
      frontDocumentId: front,
      backDocumentId: idOf(submission, "back") ?? null,
      status: "PENDING",
      version: 1,
      changedBy: deps.invocationId,
      remindedVersion: 0,
      submittedAt: now,
      createdAt: now,
      updatedAt: now,
    },
    isDone,
  ).onConflictDoUpdate({
    target: kyc.userId,
    set: {
      documentType: excluded("document_type"),
      documentNumberSealed: excluded("document_number_sealed"),
      documentNumberKeyId: excluded("document_number_key_id"),
      documentNumberIndex: excluded("document_number_index"),
      frontDocumentId: excluded("front_document_id"),
      backDocumentId: excluded("back_document_id"),
      ...submittedAnew(deps),
    },
  });
}

function amendKyc(deps: SubmitDeps, userId: string, submission: Submission, isDone: SQL) {
  const { documentType, number } = submission;
  const front = idOf(submission, "front");
  const back = idOf(submission, "back");
  return deps.db
    .update(kyc)
    .set({
      ...(documentType === undefined ? {} : { documentType }),
      ...(number
        ? {
            documentNumberSealed: number.sealed,
            documentNumberKeyId: number.keyId,
            documentNumberIndex: number.index,
          }
        : {}),
      ...(front ? { frontDocumentId: front } : {}),
      ...(back ? { backDocumentId: back } : {}),
      ...submittedAnew(deps),
    })
    .where(and(eq(kyc.userId, userId), isDone));
}

/** Columns that every resubmission of a KYC sets. */
function submittedAnew(deps: SubmitDeps) {
  const now = instantOf(deps.now());
  return {
    status: "PENDING" as const,
    version: sql`kyc.version + 1`,
    changedBy: deps.invocationId,
    rejectionReason: null,
    verifiedAt: null,
    firstApprovedBy: null,
    firstApprovedAt: null,
    submittedAt: now,
    updatedAt: now,
  };
}
