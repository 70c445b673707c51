import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { flag, instant } from "./columns.ts";
import { userId } from "./user-schema.ts";

/** One a user: what they submitted last. */
export const kyc = sqliteTable(
  "kyc",
  {
    userId: userId().primaryKey(),
    id: text("id").notNull(),
    documentType: text("document_type").notNull(),
    /** AES-GCM under `documentNumberKeyId`, with the user as associated data. */
    documentNumberSealed: text("document_number_sealed").notNull(),
    documentNumberKeyId: text("document_number_key_id").notNull(),
    /** Keyed hash: the same for the same number, whoever has it. */
    documentNumberIndex: text("document_number_index").notNull(),
    frontDocumentId: text("front_document_id").notNull(),
    backDocumentId: text("back_document_id"),
    status: text("status", { enum: ["PENDING", "APPROVED", "REJECTED"] }).notNull(),
    /** Grows with every submission; a decision is about one version. */
    version: integer("version").notNull(),
    /** Attempt id of the last change, so that its invocation knows it as its own. */
    changedBy: text("changed_by").notNull(),
    rejectionReason: text("rejection_reason"),
    /** The version whose rejection the person was reminded of. */
    remindedVersion: integer("reminded_version").notNull().default(0),
    verifiedAt: instant("verified_at"),
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
 * A file in R2: `pending` before it is put, `live` once a submission names it. Until its object is gone, one that was live
 * is `replaced` and one that never was is `abandoned`; then its row is deleted.
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

/** Uploads of the last day, whatever came of them: the daily limit counts these rows. */
export const kycUploads = sqliteTable(
  "kyc_uploads",
  {
    /** Attempt id of the call. */
    id: text("id").primaryKey(),
    userId: userId(),
    /** False for a call that broke off, failed by our fault, or repeated a finished one. */
    counts: flag("counts").notNull(),
    createdAt: instant("created_at").notNull(),
  },
  (table) => [
    index("kyc_uploads_user").on(table.userId, table.createdAt, table.counts),
    index("kyc_uploads_created").on(table.createdAt),
  ],
);

/** Who has looked at which file: nobody approves what nobody saw. */
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
