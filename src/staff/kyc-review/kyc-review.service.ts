import { z } from "zod";
import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { readCursor, writeCursor } from "../../platform/http/cursor.ts";
import { AppError } from "../../platform/http/errors.ts";
import type { Text } from "../../platform/http/locale.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { noKyc, openKyc } from "../../users/kyc/kyc.service.ts";
import type { KycRow } from "../../users/kyc/kyc.store.ts";
import type { OpenKyc } from "../../users/kyc/kyc.views.ts";
import { refuseUnlessMayChange } from "../refusals.ts";
import { type Decision, decideKyc, listSubmissions } from "./kyc-review.store.ts";
import type { OpenSubmission } from "./kyc-review.views.ts";

const position = z.tuple([z.number(), z.string()]);

/**
 * A page of the review queue, oldest first, with links for this reviewer.
 *
 * @throws AppError `permission_denied`; `token_not_valid`; `validation_error` for a cursor of another queue.
 */
export async function listKycSubmissions(
  deps: Deps,
  caller: StaffClaims,
  page: { status: KycRow["status"]; page_size: number; cursor?: string | undefined },
  origin: string,
): Promise<{ results: OpenSubmission[]; nextCursor: string | null }> {
  const query = ["kyc-submissions", page.status];
  const [submittedAt, userId] = (await readCursor(deps, query, page.cursor, position)) ?? [];
  const after = submittedAt === undefined || userId === undefined ? undefined : { submittedAt, userId };
  const { found, hasMore } = await listSubmissions(deps, caller, {
    status: page.status,
    size: page.page_size,
    after,
  });
  const results = await Promise.all(
    found.map(async (submission) => ({ submission, ...(await openKyc(deps, origin, caller, submission.kyc)) })),
  );
  const last = hasMore ? found.at(-1)?.kyc : undefined;
  return { results, nextCursor: last ? await writeCursor(deps, query, [last.submittedAt, last.userId]) : null };
}

/**
 * Approves or rejects a pending KYC. The event notifies the user.
 *
 * @throws AppError `not_found` if the user submitted nothing; `permission_denied`, also for the reviewer's own KYC, and
 *   for that of staff unless the reviewer is an admin; `kyc_already_approved`; `conflict` if it is already rejected;
 *   `kyc_version_stale` if it was submitted again; `kyc_not_viewed` if the reviewer has not opened each of its files.
 */
export async function updateKycStatus(
  deps: Deps,
  client: Client,
  caller: StaffClaims,
  decision: Decision,
  origin: string,
): Promise<OpenKyc> {
  const outcome = await decideKyc(deps, client, caller, decision);
  if (outcome.isDone && outcome.kyc) {
    deps.afterResponse(publishCoalesced(deps, outcome.events));
    return openKyc(deps, origin, caller, outcome.kyc);
  }
  if (outcome.target) refuseUnlessMayChange(outcome.caller, { caller, userId: decision.userId }, outcome.target);
  if (!outcome.kyc) throw noKyc();
  throw obstacleOf(decision, outcome.kyc);
}

/** Why a decision by a permitted reviewer was not made. */
function obstacleOf({ version }: Decision, kyc: KycRow): AppError {
  if (kyc.status === "APPROVED") return new AppError("kyc_already_approved", { message: alreadyDecided });
  if (kyc.status !== "PENDING") return new AppError("conflict", { message: alreadyDecided });
  if (version !== undefined && version !== kyc.version) return new AppError("kyc_version_stale");
  return new AppError("kyc_not_viewed");
}

const alreadyDecided: Text = { en: "This submission has already been decided.", ne: "यसको निर्णय भइसकेको छ।" };
