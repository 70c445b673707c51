import { and, eq, inArray, type SQL, sql } from "drizzle-orm";
import { kycDocuments, kycDocumentViews } from "../../db/kyc-schema.ts";
import { insertFrom, instantOf, runBatch } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { isOwnerOrStaff } from "../../sessions/authority.store.ts";
import { beyondStaffViews, isRecorded, recordStaffView, selectOldestView } from "../../sessions/staff-views.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { removeObjects } from "./kyc-bucket.store.ts";

type DocumentDeps = Pick<Deps, "db" | "now" | "newId" | "log" | "config">;

/** The document belongs to a KYC, and the viewer is signed in and is its owner or staff. */
function mayView(deps: DocumentDeps, viewer: AccessClaims, documentId: string): SQL {
  const isAllowed = isOwnerOrStaff(deps, viewer, sql.raw("kyc_documents.user_id"));
  return sql`kyc_documents.id = ${documentId} and kyc_documents.state = 'live' and ${isAllowed}`;
}

function selectVisible(deps: DocumentDeps, viewer: AccessClaims, documentId: string, condition?: SQL) {
  return deps.db
    .select({
      objectKey: kycDocuments.objectKey,
      contentType: kycDocuments.contentType,
      sizeBytes: kycDocuments.sizeBytes,
    })
    .from(kycDocuments)
    .where(and(mayView(deps, viewer, documentId), condition));
}

/** The document, if the viewer may see it. Records no view. */
export async function findDocument(deps: DocumentDeps, viewer: AccessClaims, documentId: string) {
  const { found } = await runBatch(deps, { found: selectVisible(deps, viewer, documentId) });
  return found[0];
}

/**
 * Like `findDocument`, but records the view in the same batch. Staff who open another user's document also get an audit
 * row, which counts towards their limit of views.
 *
 * @throws AppError `rate_limit_exceeded` if a member of staff has no views left.
 */
export async function viewDocument(
  deps: DocumentDeps,
  client: Pick<Client, "ip" | "userAgent">,
  viewer: AccessClaims,
  documentId: string,
) {
  const visible = sql`from kyc_documents where ${mayView(deps, viewer, documentId)}`;
  const auditId = deps.newId();
  const isShown = sql`(kyc_documents.user_id = ${viewer.userId} or ${isRecorded(viewer, auditId)})`;
  const { found, refused, oldest } = await runBatch(deps, {
    audit: recordStaffView(
      deps,
      client,
      viewer,
      {
        id: auditId,
        userId: sql`(select user_id from kyc_documents where id = ${documentId})`,
        entityType: "kyc_document",
        entityId: documentId,
      },
      sql`exists (select 1 ${visible} and kyc_documents.user_id <> ${viewer.userId})`,
    ),
    view: insertFrom(
      deps,
      kycDocumentViews,
      { documentId: sql`kyc_documents.id`, viewerId: viewer.userId, viewedAt: instantOf(deps.now()) },
      sql`${visible} and ${isShown}`,
    ).onConflictDoUpdate({
      target: [kycDocumentViews.documentId, kycDocumentViews.viewerId],
      set: { viewedAt: sql`excluded.viewed_at` },
    }),
    found: selectVisible(deps, viewer, documentId, isShown),
    refused: selectVisible(deps, viewer, documentId, sql`not ${isShown}`),
    oldest: selectOldestView(deps, viewer, auditId),
  });
  if (refused.length > 0) throw beyondStaffViews(deps, viewer, oldest);
  return found[0];
}

type RemovalDeps = Pick<Deps, "db" | "bucket" | "log">;

/** A file that no KYC refers to. */
export interface RemovableFile {
  id: string;
  objectKey: string;
}

/**
 * Removes the files of a failed call: first marks their rows, so that no KYC can refer to them, then deletes the
 * objects. The sweeper removes what remains after a failure.
 */
export async function abandonDocuments(deps: RemovalDeps, ids: string[]): Promise<void> {
  const { abandoned } = await runBatch(deps, {
    abandoned: deps.db
      .update(kycDocuments)
      .set({ state: "abandoned" })
      .where(and(isOneOf(ids), eq(kycDocuments.state, "pending")))
      .returning({ id: kycDocuments.id, objectKey: kycDocuments.objectKey }),
  });
  await removeDocuments(deps, abandoned);
}

/** Removes the objects of files that no KYC refers to, then their rows. */
export async function removeDocuments(deps: RemovalDeps, files: readonly RemovableFile[]): Promise<void> {
  if (files.length === 0) return;
  await removeObjects(
    deps,
    files.map(({ objectKey }) => objectKey),
  );
  const ids = files.map(({ id }) => id);
  await runBatch(deps, { removed: deleteRemoved(deps, ids) });
}

/** Deletes the rows of files whose objects are removed, if `fence` also holds. */
export function deleteRemoved(deps: Pick<Deps, "db">, ids: string[], fence?: SQL) {
  return deps.db
    .delete(kycDocuments)
    .where(and(isOneOf(ids), inArray(kycDocuments.state, ["abandoned", "replaced"]), fence))
    .returning({ id: kycDocuments.id });
}

function isOneOf(ids: string[]): SQL {
  return inArray(kycDocuments.id, sql`(select value from json_each(${JSON.stringify(ids)}))`);
}
