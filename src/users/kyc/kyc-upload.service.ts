import { identifyKey } from "../../platform/data/idempotency.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import { type RateLimit, rateLimitHeaders } from "../../platform/http/rate-limit.ts";
import type { Admission } from "../../platform/http/upload.ts";
import { describeError } from "../../platform/log.ts";
import { sessionEnded } from "../../sessions/guard.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { noKyc } from "./kyc.service.ts";
import type { KycRow } from "./kyc.store.ts";
import {
  claimUpload,
  giveBackUpload,
  type SubmissionKind,
  startedUploadLimit,
  uploadLimit,
} from "./kyc-upload.store.ts";

/** An upload that was counted before its files were read. */
export interface KycUpload extends Admission {
  /** Whether the key is bound to an earlier call: this call's files are then compared with that call's, not stored. */
  isRepetition: boolean;
  limit: RateLimit;
  /** Stops counting the upload, after the response: it failed through no fault of the user. */
  giveBack(): void;
}

/**
 * Counts an upload before its body is read, so that a refusal costs one statement and refused files count as much as
 * accepted ones. Interrupted uploads do not count, but a wider limit applies to them.
 *
 * @throws AppError `rate_limit_exceeded` if the day's uploads are used up; `kyc_already_approved`; `not_found` if there
 *   is nothing to amend; `token_not_valid`.
 */
export async function admitUpload(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  kind: SubmissionKind,
): Promise<KycUpload> {
  const key = await identifyKey(deps, client.idempotencyKey, keyRoute(kind), caller.userId);
  const giveBack = () => {
    const logFailure = (error: unknown) => deps.log.warn("kyc_upload_counted", { reason: describeError(error) });
    deps.afterResponse(giveBackUpload(deps).catch(logFailure));
  };
  const { claim, own, uploads } = await claimUpload(deps, caller, kind, key).catch((error: unknown) => {
    // The claim may have been made although its answer was lost.
    giveBack();
    throw error;
  });
  if (!own) throw sessionEnded();
  const limit = describeLimit(deps, uploads);
  if (!claim) {
    refuseUnlessOpen(kind, own.kyc);
    throw tooManyUploads(limit);
  }
  return { isRepetition: !claim.counts, limit, giveBack, onUnused: giveBack };
}

/** The scope of these calls' idempotency keys, besides the user. */
export const keyRoute = (kind: SubmissionKind) => `users/kyc ${kind}`;

/** @throws AppError `kyc_already_approved`, or `not_found` if there is nothing to amend. */
export function refuseUnlessOpen(kind: SubmissionKind, kyc: KycRow | null): void {
  if (kyc?.status === "APPROVED") {
    throw new AppError("kyc_already_approved");
  }
  if (kind === "amend" && !kyc) throw noKyc();
}

function describeLimit(
  deps: Deps,
  { counted, oldestCountedAt, started, oldestAt }: Awaited<ReturnType<typeof claimUpload>>["uploads"],
): RateLimit {
  // If both limits are reached, that of counted uploads resets later.
  const isOfCounted = counted >= uploadLimit.count || started < startedUploadLimit.count;
  const resetsAt = ((isOfCounted ? oldestCountedAt : oldestAt) ?? deps.now()) + uploadLimit.windowMs;
  return {
    remaining: Math.max(0, Math.min(uploadLimit.count - counted, startedUploadLimit.count - started)),
    resetSeconds: Math.max(1, Math.ceil((resetsAt - deps.now()) / 1000)),
  };
}

/** The rate-limit headers of an upload. */
export function uploadHeaders(limit: RateLimit): Record<string, string> {
  return rateLimitHeaders("kyc-uploads", uploadLimit, limit);
}

function tooManyUploads(limit: RateLimit): AppError {
  return new AppError("rate_limit_exceeded", {
    message: {
      en: "You have sent documents too many times today. Try again tomorrow.",
      ne: "आज धेरै पटक कागजात पठाउनुभयो। भोलि फेरि प्रयास गर्नुहोस्।",
    },
    retryAfterSeconds: limit.resetSeconds,
    headers: uploadHeaders(limit),
  });
}
