import { z } from "zod";
import type { Client } from "../platform/client.ts";
import { readCursor, writeCursor } from "../platform/cursor.ts";
import type { Deps } from "../platform/deps.ts";
import { AppError } from "../platform/errors.ts";
import { relayTogether } from "../platform/relay.ts";
import { refuseUnlessStaff } from "../sessions/guard.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { noKyc, type OpenKyc, openKyc } from "./kyc.service.ts";
import type { KycRow } from "./kyc.store.ts";
import { type Decision, decideKyc, listSubmissions, type SubmissionRow } from "./kyc-review.store.ts";

export interface OpenSubmission extends OpenKyc {
  submission: SubmissionRow;
}

const position = z.tuple([z.number(), z.string()]);

/**
 * A page of the review queue, oldest first, with links for this reviewer.
 *
 * @throws AppError `permission_denied`, `token_not_valid`, `validation_error` for a cursor of another queue.
 */
export async function listKycSubmissions(
  deps: Deps,
  caller: AccessClaims,
  page: { status: KycRow["status"]; page_size: number; cursor?: string | undefined },
  origin: string,
): Promise<{ results: OpenSubmission[]; nextCursor: string | null }> {
  const query = ["kyc-submissions", page.status];
  const [submittedAt, userId] = (await readCursor(deps, query, page.cursor, position)) ?? [];
  const after = submittedAt === undefined || userId === undefined ? undefined : { submittedAt, userId };
  const { found, hasMore, ...who } = await listSubmissions(deps, caller, {
    status: page.status,
    size: page.page_size,
    after,
  });
  refuseUnlessStaff(who.caller);
  const results = await Promise.all(
    found.map(async (submission) => ({ submission, ...(await openKyc(deps, origin, caller, submission.kyc)) })),
  );
  const last = hasMore ? found.at(-1)?.kyc : undefined;
  return { results, nextCursor: last ? await writeCursor(deps, query, [last.submittedAt, last.userId]) : null };
}

/**
 * Approves or rejects a pending KYC; its user is told by the event.
 *
 * @throws AppError `not_found` when the user submitted nothing; `permission_denied` also for one's own; `conflict` when it
 *   is decided already, was submitted anew, or is to be approved by somebody who has not looked at each of its files.
 */
export async function updateKycStatus(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  decision: Decision,
  origin: string,
): Promise<OpenKyc> {
  const outcome = await decideKyc(deps, client, caller, decision);
  refuseUnlessStaff(outcome.caller);
  if (outcome.isDone && outcome.kyc) {
    deps.afterResponse(relayTogether(deps, outcome.events));
    return openKyc(deps, origin, caller, outcome.kyc);
  }
  if (decision.userId === caller.userId) {
    throw new AppError("permission_denied", { message: "Nobody decides about their own documents." });
  }
  if (!outcome.kyc) throw noKyc();
  throw new AppError("conflict", { message: reasonOf(decision, outcome.kyc) });
}

function reasonOf({ version }: Decision, kyc: KycRow): string {
  if (kyc.status !== "PENDING") return "This KYC is decided already.";
  if (version !== undefined && version !== kyc.version) return "It was submitted anew. Look at it again.";
  return "Look at each of its files first: open their links, then approve.";
}
