import { and, asc, eq, type SQL, sql } from "drizzle-orm";
import { kyc } from "../../db/kyc-schema.ts";
import { auditLogs } from "../../db/platform-schema.ts";
import { users } from "../../db/user-schema.ts";
import { isAudited, recordAudit, selectAudit } from "../../platform/data/audit.ts";
import { instantOf, mergeStatements } from "../../platform/data/database.ts";
import { eventsOf, recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { auditedKyc, type KycRow } from "../../users/kyc/kyc.store.ts";
import { changeUser } from "../../users/user-change.store.ts";
import { commitStaffBatch, runStaffBatch } from "../staff-batch.store.ts";

type ReviewDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log" | "config">;

/** Status, size and position of a page of the review queue. */
export interface SubmissionPage {
  status: KycRow["status"];
  size: number;
  /** Where the previous page ended. */
  after: { submittedAt: number; userId: string } | undefined;
}

/** A page of submissions, oldest first, with their users. */
export async function listSubmissions(deps: ReviewDeps, caller: StaffClaims, { status, size, after }: SubmissionPage) {
  const { submissions } = await runStaffBatch(deps, caller, ({ ifStaff }) => ({
    submissions: deps.db
      .select({
        kyc,
        user: {
          username: users.username,
          email: users.email,
          phoneNumber: users.phoneNumber,
          profilePicture: users.profilePicture,
        },
        duplicateOf: sql<string | null>`(select other.user_id from kyc other
          where other.document_number_index = kyc.document_number_index and other.user_id <> kyc.user_id
          order by other.submitted_at limit 1)`.as("duplicate_of"),
      })
      .from(kyc)
      .innerJoin(users, eq(users.id, kyc.userId))
      .where(
        and(
          eq(kyc.status, ifStaff(status)),
          after && sql`(kyc.submitted_at, kyc.user_id) > (${instantOf(after.submittedAt)}, ${after.userId})`,
        ),
      )
      .orderBy(asc(kyc.submittedAt), asc(kyc.userId))
      // One extra row shows whether there is a next page.
      .limit(size + 1),
  }));
  return { found: submissions.slice(0, size), hasMore: submissions.length > size };
}

export type SubmissionRow = Awaited<ReturnType<typeof listSubmissions>>["found"][number];

/** A reviewer's decision about a KYC. */
export interface Decision {
  userId: string;
  status: "APPROVED" | "REJECTED";
  rejectionReason: string | null;
  /** The version that the reviewer saw; undefined for any version. */
  version: number | undefined;
}

/** The reviewer has opened each file of the KYC since it was submitted. */
function isViewedBy(reviewer: StaffClaims): SQL {
  return sql`(select count(*) from kyc_document_views v
    where v.document_id in (kyc.front_document_id, kyc.back_document_id) and v.viewer_id = ${reviewer.userId}
      and v.viewed_at >= kyc.submitted_at) = 1 + (kyc.back_document_id is not null)`;
}

/**
 * Decides a pending KYC, with audit row and events, in one transaction. Changes nothing if the caller may not change
 * the account, names another version, or approves files that they have not opened.
 *
 * @returns `isDone`, and what decided it: the submitter's role and the KYC after the change.
 */
export async function decideKyc(deps: ReviewDeps, client: Client, caller: StaffClaims, decision: Decision) {
  const { userId, status, rejectionReason, version } = decision;
  const now = deps.now();
  const auditId = deps.newId();
  const isDone = isAudited(userId, auditId);
  const own = sql`from kyc where kyc.user_id = ${userId}`;
  const isDecidable = sql`exists (select 1 ${own} and kyc.status = 'PENDING'
    ${version === undefined ? sql`` : sql`and kyc.version = ${version}`}
    ${status === "APPROVED" ? sql`and ${isViewedBy(caller)}` : sql``})`;
  const found = await commitStaffBatch(
    deps,
    caller,
    ({ mayChange }) => ({
      writes: mergeStatements(
        {
          audit: recordAudit(
            deps,
            client,
            {
              id: auditId,
              userId,
              action: "UPDATE",
              entityType: "kyc",
              entityId: sql`(select kyc.id ${own})`,
              oldValues: sql`(select ${auditedKyc} ${own})`,
              actorId: caller.userId,
              byStaff: true,
              sessionId: caller.sessionId,
            },
            sql`${mayChange(userId)} and ${isDecidable}`,
          ),
          decided: deps.db
            .update(kyc)
            .set({
              status,
              rejectionReason,
              verifiedAt: status === "APPROVED" ? instantOf(now) : null,
              changedBy: deps.invocationId,
              updatedAt: instantOf(now),
            })
            .where(and(eq(kyc.userId, userId), isDone)),
          auditedChange: deps.db
            .update(auditLogs)
            .set({ newValues: sql`(select ${auditedKyc} ${own})` })
            .where(and(eq(auditLogs.userId, userId), eq(auditLogs.id, auditId))),
        },
        changeUser(deps, userId, isDone),
        {
          decisionEvent: recordEvent(
            deps,
            {
              type: "kyc.decided",
              userId,
              payload: sql`json_object('user_id', ${userId}, 'status', ${status}, 'kyc_id', (select kyc.id ${own}))`,
              queue: "tasks",
            },
            isDone,
          ),
        },
      ),
      reads: {
        kyc: deps.db.select().from(kyc).where(eq(kyc.userId, userId)),
        target: deps.db.select({ role: users.role }).from(users).where(eq(users.id, userId)),
        done: selectAudit(deps, userId, auditId),
      },
    }),
    ({ done }) => done.length > 0,
  );
  return {
    isDone: found.done.length > 0,
    caller: found.caller,
    kyc: found.kyc[0],
    target: found.target[0],
    events: eventsOf(found.changeEvent, found.decisionEvent),
  };
}
