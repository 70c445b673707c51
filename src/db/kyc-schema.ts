import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { flag, instant } from "./columns.ts";
import { userId } from "./user-schema.ts";

/** One row per user: the latest submission. */
export const kyc = sqliteTable(
  "kyc",
  {
    userId: userId().primaryKey(),
    id: text("id").notNull(),
    documentType: text("document_type").notNull(),
    /** AES-GCM under `documentNumberKeyId`, with the user id as associated data. */
    documentNumberSealed: text("document_number_sealed").notNull(),
    documentNumberKeyId: text("document_number_key_id").notNull(),
    /** Keyed hash, equal for equal document numbers across users. */
    documentNumberIndex: text("document_number_index").notNull(),
    frontDocumentId: text("front_document_id").notNull(),
    backDocumentId: text("back_document_id"),
    status: text("status", { enum: ["PENDING", "APPROVED", "REJECTED"] }).notNull(),
    /** Incremented with every submission. A decision applies to one version. */
    version: integer("version").notNull(),
    /** Invocation that made the last change; lets it recognise its own write after a lost answer. */
    changedBy: text("changed_by").notNull(),
    rejectionReason: text("rejection_reason"),
    /** Version for whose rejection the last reminder was sent. */
    remindedVersion: integer("reminded_version").notNull().default(0),
    verifiedAt: instant("verified_at"),
    /** The reviewer whose approval of this version waits for a colleague's; null while there is none. */
    firstApprovedBy: text("first_approved_by"),
    firstApprovedAt: instant("first_approved_at"),
    submittedAt: instant("submitted_at").notNull(),
    createdAt: instant("created_at").notNull(),
    updatedAt: instant("updated_at").notNull(),
  },
  (table) => [
    uniqueIndex("kyc_id").on(table.id),
    index("kyc_queue").on(table.status, table.submittedAt, table.userId),
    index("kyc_document_number").on(table.documentNumberIndex, table.submittedAt),
    index("kyc_rejected").on(table.updatedAt, table.userId).where(sql`status = 'REJECTED'`),
  ],
);

/**
 * A file in R2: `pending` until a submission references it, then `live`, and `replaced` once a later submission has
 * another file. A pending file whose call failed or was interrupted becomes `abandoned`. The row is deleted after its
 * object.
 */
export const kycDocuments = sqliteTable(
  "kyc_documents",
  {
    id: text("id").primaryKey(),
    userId: userId(),
    side: text("side", { enum: ["front", "back"] }).notNull(),
    objectKey: text("object_key").notNull(),
    contentType: text("content_type").notNull(),
    sizeBytes: integer("size_bytes").notNull(),
    state: text("state", { enum: ["pending", "live", "replaced", "abandoned"] }).notNull(),
    createdAt: instant("created_at").notNull(),
  },
  (table) => [
    uniqueIndex("kyc_documents_object").on(table.objectKey),
    index("kyc_documents_user").on(table.userId, table.createdAt),
    index("kyc_documents_sweep").on(table.state, table.createdAt).where(sql`state <> 'live'`),
  ],
);

/** Uploads of the last 24 hours, successful or not. The daily limit counts these rows. */
export const kycUploads = sqliteTable(
  "kyc_uploads",
  {
    /** Id of the invocation that handled the upload. */
    id: text("id").primaryKey(),
    userId: userId(),
    /** False if the upload was interrupted, failed on our side, or repeated a completed one. */
    counts: flag("counts").notNull(),
    createdAt: instant("created_at").notNull(),
  },
  (table) => [index("kyc_uploads_user").on(table.userId, table.createdAt, table.counts)],
);

/** Which reviewer viewed which file: a submission cannot be approved before its files were viewed. */
export const kycDocumentViews = sqliteTable(
  "kyc_document_views",
  {
    documentId: text("document_id")
      .notNull()
      .references(() => kycDocuments.id, { onDelete: "cascade" }),
    viewerId: text("viewer_id").notNull(),
    viewedAt: instant("viewed_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.documentId, table.viewerId] })],
);
