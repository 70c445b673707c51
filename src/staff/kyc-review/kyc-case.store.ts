import { and, desc, eq, type SQL, sql } from "drizzle-orm";
import { kyc, kycDocuments, kycDocumentViews } from "../../db/kyc-schema.ts";
import { auditLogs } from "../../db/platform-schema.ts";
import { profiles, users } from "../../db/user-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { ifRecorded } from "../../sessions/staff-views.store.ts";
import { runStaffBatch } from "../staff-batch.store.ts";
import { readRecorded, refuseUnlessRecorded } from "../users/staff-view.store.ts";
import { selectSubmissions } from "./submission.store.ts";

type CaseDeps = Pick<Deps, "db" | "now" | "newId" | "log" | "config">;

const MAX_DUPLICATES = 5;
/** Maximum number of views that are listed: the newest ones, one for each file and viewer. */
const MAX_VIEWS = 20;
/** How far apart the id of a reopening's audit row and `submitted_at` may be, in milliseconds. */
const SECOND_MS = 1_000;

/** The smallest UUIDv7 of the time `offsetMs` after the submission: its first 48 bits are the time, in hex. */
const idAt = (offsetMs: number) =>
  sql.raw(`printf('%08x-%04x', (kyc.submitted_at + ${offsetMs}) / 65536, (kyc.submitted_at + ${offsetMs}) % 65536)`);

/**
 * Selects who took the last decision back, if the KYC has waited for a new one since. Taking it back sets
 * `submitted_at`, by which the audit row is found.
 */
const selectReopening = (deps: Pick<Deps, "db">, isShown: SQL) =>
  deps.db
    .select({
      viewerId: auditLogs.actorId,
      viewer: users.username,
      at: auditLogs.createdAt,
      reason: sql<string | null>`audit_logs.new_values ->> 'reason'`.as("reason"),
    })
    .from(kyc)
    .innerJoin(
      auditLogs,
      sql`audit_logs.user_id = kyc.user_id and audit_logs.id > ${idAt(-SECOND_MS)} and audit_logs.id < ${idAt(SECOND_MS)}
        and audit_logs.entity_type = 'kyc' and audit_logs.action = 'UPDATE' and audit_logs.by_staff = 1
        and audit_logs.new_values ->> 'status' = 'PENDING' and audit_logs.old_values ->> 'status' <> 'PENDING'`,
    )
    .leftJoin(users, eq(users.id, auditLogs.actorId))
    .where(and(isShown, sql`kyc.status = 'PENDING'`))
    .limit(1);

/**
 * Reads a user's KYC with all that a reviewer compares, and records the view in the same transaction.
 *
 * @returns undefined if there is no such user or KYC.
 * @throws AppError `rate_limit_exceeded` if the caller has no views left.
 */
export async function auditCaseView(deps: CaseDeps, client: Client, caller: StaffClaims, userId: string) {
  const own = sql`from kyc where kyc.user_id = ${userId}`;
  const view = {
    userId,
    entityType: "kyc",
    entityId: sql`(select kyc.id ${own})`,
    exists: sql`exists (select 1 ${own})`,
  } as const;
  const found = await runStaffBatch(deps, caller, ({ isStaff }) =>
    readRecorded(deps, client, caller, view, isStaff, (viewId) => {
      const shownUser = ifRecorded(caller, viewId, userId);
      const isShown = sql`kyc.user_id = ${shownUser}`;
      return {
        submission: selectSubmissions(deps, caller, isShown),
        profile: deps.db
          .select({ fullName: profiles.fullName, dateOfBirth: profiles.dateOfBirth, address: profiles.address })
          .from(profiles)
          .where(eq(profiles.userId, shownUser)),
        files: deps.db
          .select({ id: kycDocuments.id, contentType: kycDocuments.contentType })
          .from(kyc)
          .innerJoin(kycDocuments, sql`${kycDocuments.id} in (kyc.front_document_id, kyc.back_document_id)`)
          .where(isShown),
        duplicates: deps.db
          .select({
            id: users.id,
            username: users.username,
            status: sql<(typeof kyc.$inferSelect)["status"]>`other.status`.as("kyc_status"),
            submittedAt: sql<number>`other.submitted_at`.as("submitted_at"),
          })
          .from(kyc)
          .innerJoin(
            sql`kyc other`,
            sql`other.document_number_index = kyc.document_number_index and other.user_id <> kyc.user_id`,
          )
          .innerJoin(users, sql`${users.id} = other.user_id`)
          .where(isShown)
          .orderBy(sql`other.submitted_at`)
          .limit(MAX_DUPLICATES),
        reopening: selectReopening(deps, isShown),
        views: deps.db
          .select({
            documentId: kycDocumentViews.documentId,
            viewerId: kycDocumentViews.viewerId,
            viewer: users.username,
            viewedAt: kycDocumentViews.viewedAt,
          })
          .from(kyc)
          .innerJoin(
            kycDocumentViews,
            sql`${kycDocumentViews.documentId} in (kyc.front_document_id, kyc.back_document_id)`,
          )
          .leftJoin(users, eq(users.id, kycDocumentViews.viewerId))
          .where(and(isShown, sql`${kycDocumentViews.viewerId} <> kyc.user_id`))
          .orderBy(desc(kycDocumentViews.viewedAt))
          .limit(MAX_VIEWS),
      };
    }),
  );
  refuseUnlessRecorded(deps, caller, found);
  const [submission] = found.submission;
  return (
    submission && {
      submission,
      profile: found.profile[0],
      files: found.files,
      duplicates: found.duplicates,
      reopening: found.reopening[0],
      views: found.views,
    }
  );
}

/** A KYC submission with what a reviewer compares it with. */
export type CaseRows = NonNullable<Awaited<ReturnType<typeof auditCaseView>>>;
