import { z } from "zod";
import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { readCursor, writeCursor } from "../../platform/http/cursor.ts";
import { AppError } from "../../platform/http/errors.ts";
import type { Text } from "../../platform/http/locale.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { reportViewsUsedUp } from "../../sessions/staff-views.store.ts";
import { noKyc, openKyc } from "../../users/kyc/kyc.service.ts";
import type { KycRow } from "../../users/kyc/kyc.store.ts";
import type { OpenKyc } from "../../users/kyc/kyc.views.ts";
import { openNumber } from "../../users/kyc/kyc-number.ts";
import { refuseUnlessAccountIsChangeable } from "../refusals.ts";
import { mask } from "../users/user-detail.views.ts";
import { type Decision, decideKyc } from "./kyc-decision.store.ts";
import { listSubmissions } from "./kyc-review.store.ts";
import type { OpenSubmission } from "./kyc-review.views.ts";
import type { SubmissionRow } from "./submission.store.ts";

const position = z.tuple([z.number(), z.string()]);

/** A page of the review queue. */
interface Queue {
  status: KycRow["status"];
  page_size: number;
  cursor?: string | undefined;
  mask?: boolean | undefined;
}

/**
 * A page of the review queue, oldest first: with numbers, identifiers and links for this reviewer, whose views are
 * recorded, or masked.
 *
 * @throws AppError `permission_denied`; `token_not_valid`; `validation_error` for a cursor of another queue;
 *   `rate_limit_exceeded` if the caller has no views left.
 */
export async function listKycSubmissions(
  deps: Deps,
  client: Client,
  caller: StaffClaims,
  page: Queue,
  origin: string,
): Promise<{ results: OpenSubmission[]; nextCursor: string | null; total: number }> {
  const query = ["kyc-submissions", page.status];
  const [submittedAt, userId] = (await readCursor(deps, query, page.cursor, position)) ?? [];
  const after = submittedAt === undefined || userId === undefined ? undefined : { submittedAt, userId };
  const isMasked = page.mask === true;
  const { status, page_size: size } = page;
  const { found, hasMore, total } = await listSubmissions(deps, client, caller, { status, size, after, isMasked });
  const results = await Promise.all(
    found.map(async (submission) =>
      isMasked
        ? maskSubmission(deps, submission)
        : { submission, ...(await openKyc(deps, origin, caller, submission.kyc)) },
    ),
  );
  const last = hasMore ? found.at(-1)?.kyc : undefined;
  return { results, nextCursor: last ? await writeCursor(deps, query, [last.submittedAt, last.userId]) : null, total };
}

/** The submission without links and identifiers, and with its number masked. */
async function maskSubmission(deps: Deps, submission: SubmissionRow): Promise<OpenSubmission> {
  const { kyc, user } = submission;
  return {
    submission: { ...submission, user: { ...user, email: null, phoneNumber: null } },
    row: kyc,
    documentNumber: mask(await openNumber(deps, kyc)),
    frontUrl: null,
    backUrl: null,
  };
}

/** A KYC after a decision, opened for the reviewer. */
interface Decided extends OpenKyc {
  frontUrl: string;
}

/**
 * Approves or rejects a pending KYC, or takes a decision back. The event of a final decision notifies the user. The
 * number is masked once the caller's views are used up.
 *
 * @throws AppError `not_found` if the user submitted nothing; `permission_denied`, also for the reviewer's own KYC, and
 *   for that of staff unless the reviewer is an admin; `kyc_already_approved`; `conflict` if it is already rejected, is
 *   not decided, or waits for a colleague's approval; `kyc_version_stale` if it was submitted again; `kyc_not_viewed`
 *   if the reviewer has not opened each of its files.
 */
export async function updateKycStatus(
  deps: Deps,
  client: Client,
  caller: StaffClaims,
  decision: Decision,
  origin: string,
): Promise<Decided> {
  const outcome = await decideKyc(deps, client, caller, decision);
  if (outcome.isDone && outcome.kyc) {
    deps.afterResponse(publishCoalesced(deps, outcome.events));
    const open = await openKyc(deps, origin, caller, outcome.kyc);
    if (outcome.isRecorded) return open;
    reportViewsUsedUp(deps, caller);
    return { ...open, documentNumber: mask(open.documentNumber) };
  }
  if (outcome.target)
    refuseUnlessAccountIsChangeable(outcome.caller, { caller, userId: decision.userId }, outcome.target);
  if (!outcome.kyc) throw noKyc();
  throw obstacleOf(caller, decision, outcome.kyc);
}

/** Why a decision by a permitted reviewer was not made. */
function obstacleOf(caller: StaffClaims, { version, status }: Decision, kyc: KycRow): AppError {
  const isReopening = status === "PENDING";
  if (isReopening && kyc.status === "PENDING") return new AppError("conflict", { message: notDecided });
  if (!isReopening && kyc.status === "APPROVED")
    return new AppError("kyc_already_approved", { message: alreadyDecided });
  if (!isReopening && kyc.status !== "PENDING") return new AppError("conflict", { message: alreadyDecided });
  if (version !== undefined && version !== kyc.version) return new AppError("kyc_version_stale");
  if (kyc.firstApprovedBy === caller.userId) return new AppError("conflict", { message: needsColleague });
  return new AppError("kyc_not_viewed");
}

const alreadyDecided: Text = { en: "This submission has already been decided.", ne: "यसको निर्णय भइसकेको छ।" };
const notDecided: Text = {
  en: "This submission has not been decided, so there is nothing to take back.",
  ne: "यसको निर्णय भएको छैन, त्यसैले फिर्ता लिने केही छैन।",
};
/** Also the answer to the first approval of two. */
export const needsColleague: Text = {
  en: "You have approved this submission. A colleague has to approve next.",
  ne: "तपाईंले स्वीकृत गर्नुभयो। अब अर्को सहकर्मीले स्वीकृत गर्नुपर्छ।",
};
