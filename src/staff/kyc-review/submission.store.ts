import { eq, type SQL, sql } from "drizzle-orm";
import { kyc } from "../../db/kyc-schema.ts";
import { profiles, users } from "../../db/user-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import { MINUTE_MS } from "../../platform/time.ts";
import type { StaffClaims } from "../../sessions/claims.ts";

/** How long a reviewer counts as looking at a case after opening one of its files, in milliseconds. */
const LOOKING_MS = 10 * MINUTE_MS;

/** A reviewer and when they did something (epoch ms). */
export interface ReviewerAct {
  /** Null for a deleted user. */
  username: string | null;
  at: number;
}

const parsed = <T>(text: unknown): T => JSON.parse(String(text)) as T;

/** The last other reviewer who opened a file of the KYC in the last ten minutes. */
const seenBy = (deps: Pick<Deps, "now">, caller: StaffClaims) =>
  // With max(), SQLite takes the other columns from the row that has the maximum.
  sql`(select case when max(v.viewed_at) is not null
      then json_object('username', (select username from users where id = v.viewer_id), 'at', max(v.viewed_at)) end
    from kyc_document_views v where v.document_id in (kyc.front_document_id, kyc.back_document_id)
      and v.viewer_id not in (${caller.userId}, kyc.user_id) and v.viewed_at > ${deps.now() - LOOKING_MS})`
    .mapWith((text) => parsed<ReviewerAct>(text))
    .as("seen_by");

/** Selects submissions that meet `which`, each with its user, as a reviewer sees them. */
export function selectSubmissions(deps: Pick<Deps, "db" | "now">, caller: StaffClaims, which: SQL | undefined) {
  return deps.db
    .select({
      kyc,
      user: {
        username: users.username,
        email: users.email,
        phoneNumber: users.phoneNumber,
        profilePicture: users.profilePicture,
      },
      fullName: profiles.fullName,
      duplicateOf: sql<string | null>`(select other.user_id from kyc other
        where other.document_number_index = kyc.document_number_index and other.user_id <> kyc.user_id
        order by other.submitted_at limit 1)`.as("duplicate_of"),
      seenBy: seenBy(deps, caller),
      firstApprover: sql<string | null>`(select approver.username from users approver
        where approver.id = kyc.first_approved_by)`.as("first_approver"),
    })
    .from(kyc)
    .innerJoin(users, eq(users.id, kyc.userId))
    .leftJoin(profiles, eq(profiles.userId, kyc.userId))
    .where(which);
}

/** A row of `selectSubmissions`. */
export type SubmissionRow = Awaited<ReturnType<typeof selectSubmissions>>[number];
