import { and, asc, eq, sql } from "drizzle-orm";
import { kyc } from "../../db/kyc-schema.ts";
import { auditLogs } from "../../db/platform-schema.ts";
import { userCounts } from "../../db/user-schema.ts";
import { idForEachRow, insertFrom, instantOf } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { beyondStaffViews, selectOldestView, viewsLeft } from "../../sessions/staff-views.store.ts";
import type { KycRow } from "../../users/kyc/kyc.store.ts";
import { statusBucketsOf } from "../directory/status-buckets.ts";
import { type CallerConditions, runStaffBatch } from "../staff-batch.store.ts";
import { selectSubmissions } from "./submission.store.ts";

type ReviewDeps = Pick<Deps, "db" | "now" | "newId" | "log" | "config">;

/** Status, size and position of a page of the review queue. */
export interface SubmissionPage {
  status: KycRow["status"];
  size: number;
  /** Where the previous page ended. */
  after: { submittedAt: number; userId: string } | undefined;
  /** Whether the page leaves out what identifies a person; otherwise a view of each is recorded. */
  isMasked: boolean;
}

const isInPage = ({ status, after }: SubmissionPage, { ifStaff }: CallerConditions) =>
  and(
    eq(kyc.status, ifStaff(status)),
    after && sql`(kyc.submitted_at, kyc.user_id) > (${instantOf(after.submittedAt)}, ${after.userId})`,
  );

/**
 * Records a view of each submission of the page, up to the number of views that the caller has left. The ids of the
 * audit rows share the first 24 characters of `viewId`.
 */
function recordPageViews(
  deps: ReviewDeps,
  client: Client,
  caller: StaffClaims,
  page: SubmissionPage,
  conditions: CallerConditions,
  viewId: string,
) {
  const size = sql.raw(String(page.size));
  return insertFrom(
    deps,
    auditLogs,
    {
      id: idForEachRow({ newId: () => viewId }),
      userId: sql`page.user_id`,
      action: "VIEW",
      entityType: "kyc",
      entityId: sql`page.id`,
      actorId: caller.userId,
      byStaff: true,
      ip: client.ip,
      userAgent: client.userAgent,
      sessionId: caller.sessionId,
      createdAt: instantOf(deps.now()),
    },
    sql`from (select user_id, id from ${kyc} where ${isInPage(page, conditions)} order by submitted_at, user_id
      limit min(${size}, ${viewsLeft(deps, caller)})) page`,
  );
}

/**
 * A page of submissions, oldest first, with their users. Unless it is masked, a view of each is recorded in the same
 * transaction, and the page ends where the caller's views end.
 *
 * @returns `total`, the number of submissions of the status.
 * @throws AppError `rate_limit_exceeded` if there are submissions and the caller has no views left.
 */
export async function listSubmissions(deps: ReviewDeps, client: Client, caller: StaffClaims, page: SubmissionPage) {
  const { status, size, isMasked } = page;
  const viewId = deps.newId();
  const prefix = sql`substr(${viewId}, 1, 24)`;
  const found = await runStaffBatch(deps, caller, (conditions) => ({
    views: isMasked ? undefined : recordPageViews(deps, client, caller, page, conditions, viewId),
    recorded: isMasked
      ? undefined
      : deps.db
          .select({ count: sql<number>`count(*)`.as("count") })
          .from(auditLogs)
          .where(sql`actor_id = ${caller.userId} and by_staff = 1 and id > ${prefix} and id < ${prefix} || 'g'`),
    oldestView: isMasked ? undefined : selectOldestView(deps, caller, viewId),
    counts: deps.db.select({ byStatusBucket: userCounts.byStatusBucket }).from(userCounts),
    submissions: selectSubmissions(deps, caller, isInPage(page, conditions))
      .orderBy(asc(kyc.submittedAt), asc(kyc.userId))
      // One extra row shows whether there is a next page.
      .limit(size + 1),
  }));
  const shown = found.submissions.slice(0, Math.min(size, found.recorded?.[0]?.count ?? size));
  if (shown.length === 0 && found.submissions.length > 0) throw beyondStaffViews(deps, caller, found.oldestView ?? []);
  const buckets = statusBucketsOf({ kycStatus: status }) ?? [];
  return {
    found: shown,
    hasMore: found.submissions.length > shown.length,
    total: buckets.reduce((sum, bucket) => sum + (found.counts[0]?.byStatusBucket[bucket] ?? 0), 0),
  };
}
