import { base64url } from "jose";
import type { Client } from "../platform/client.ts";
import type { Deps } from "../platform/deps.ts";
import { AppError, type FieldErrors } from "../platform/errors.ts";
import { type IdempotentCall, identifyCall } from "../platform/idempotency.ts";
import { describeError } from "../platform/log.ts";
import { type RateLimit, rateLimitHeaders } from "../platform/rate-limit.ts";
import { relayTogether } from "../platform/relay.ts";
import { sessionEnded } from "../sessions/guard.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { noKyc, type OpenKyc, openKyc } from "./kyc.service.ts";
import type { KycRow } from "./kyc.store.ts";
import { objectKeyOf, putObject } from "./kyc-bucket.store.ts";
import { abandonDocuments, removeDocuments } from "./kyc-document.store.ts";
import { inspectDocument } from "./kyc-files/document-file.ts";
import { sealNumber } from "./kyc-number.ts";
import { type NewDocument, reserveDocuments, type Submission, uploadLimit } from "./kyc-reserve.store.ts";
import { commitSubmission } from "./kyc-submit.store.ts";

/** What a person sends; the files as they arrived. */
export interface KycRequest {
  document_type?: string | undefined;
  document_number?: string | undefined;
  document_front?: Uint8Array<ArrayBuffer> | undefined;
  document_back?: Uint8Array<ArrayBuffer> | undefined;
}

export interface SubmittedKyc {
  kyc: OpenKyc;
  /** Uploads left today; undefined where no file was sent. */
  limit: RateLimit | undefined;
}

interface StagedDocument extends NewDocument {
  bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Submits the caller's documents for review, or amends what was submitted; either way the KYC is PENDING again.
 *
 * @throws AppError `validation_error` naming the file that is not what it should be; `kyc_already_approved`;
 *   `not_found` when there is none to amend; `rate_limit_exceeded` after the day's uploads; `idempotency_key_reused`.
 */
export async function submitKyc(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  kind: Submission["kind"],
  request: KycRequest,
  origin: string,
): Promise<SubmittedKyc> {
  const documents = stageDocuments(deps, caller, request);
  const { document_type: documentType, document_number: documentNumber } = request;
  if (documents.length === 0 && documentType === undefined && documentNumber === undefined) {
    throw new AppError("validation_error", { message: "Send at least one field to change." });
  }
  const [call, number] = await Promise.all([
    identifySubmission(deps, client, caller, kind, request),
    documentNumber === undefined ? undefined : sealNumber(deps, caller.userId, documentNumber),
  ]);
  const submission: Submission = { kind, documentType, number, documents: documents.map(withoutBytes) };
  const answer = (row: KycRow) => openKyc(deps, origin, caller, row);
  let limit: RateLimit | undefined;
  if (documents.length > 0) {
    const reserved = await reserveDocuments(deps, caller, submission, call);
    limit = describeLimit(deps, reserved.uploads);
    if (!reserved.isReserved) {
      const standing = findStanding(kind, call, reserved);
      if (standing) return { kyc: await answer(standing), limit };
      throw tooManyUploads(limit);
    }
  }
  try {
    await Promise.all(documents.map((document) => putObject(deps, document.objectKey, document)));
    const outcome = await commitSubmission(deps, client, caller, submission, call);
    if (outcome.isDone && outcome.own?.kyc) {
      deps.afterResponse(relayTogether(deps, outcome.events));
      tidyUp(deps, removeDocuments(deps, outcome.replaced));
      return { kyc: await answer(outcome.own.kyc), limit };
    }
    const standing = findStanding(kind, call, outcome);
    if (!standing) throw new AppError("service_unavailable", { reason: "files swept", retryAfterSeconds: 2 });
    giveUp(deps, documents);
    return { kyc: await answer(standing), limit };
  } catch (error) {
    giveUp(deps, documents);
    throw error;
  }
}

const withoutBytes = ({ bytes: _, ...document }: StagedDocument): NewDocument => document;

/** Lets go of files that came to nothing, as far as they are still nobody's. */
function giveUp(deps: Deps, documents: readonly NewDocument[]): void {
  if (documents.length === 0) return;
  const ids = documents.map(({ id }) => id);
  tidyUp(deps, abandonDocuments(deps, ids));
}

/** Removes files after the response; what fails is left to the sweeper. */
function tidyUp(deps: Deps, work: Promise<void>): void {
  const left = (error: unknown) => deps.log.warn("kyc_files_left", { reason: describeError(error) });
  deps.afterResponse(work.catch(left));
}

/** Checks every file, and names each that will not do. */
function stageDocuments(deps: Deps, caller: AccessClaims, request: KycRequest): StagedDocument[] {
  const details: FieldErrors = {};
  const staged: StagedDocument[] = [];
  for (const side of ["front", "back"] as const) {
    const given = request[`document_${side}`];
    if (!given) continue;
    const inspected = inspectDocument(given);
    if (!inspected.ok) {
      details[`document_${side}`] = [inspected.message];
      continue;
    }
    const { bytes, contentType } = inspected;
    const id = deps.newId();
    const objectKey = objectKeyOf(caller.userId, id);
    staged.push({ id, side, objectKey, contentType, sizeBytes: bytes.length, bytes });
  }
  if (Object.keys(details).length > 0) throw new AppError("validation_error", { details });
  return staged;
}

async function identifySubmission(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  kind: Submission["kind"],
  request: KycRequest,
): Promise<IdempotentCall | undefined> {
  if (client.idempotencyKey === undefined) return undefined;
  const hash = async (file: Uint8Array<ArrayBuffer> | undefined) =>
    file && base64url.encode(new Uint8Array(await crypto.subtle.digest("SHA-256", file)));
  const [document_front, document_back] = await Promise.all([
    hash(request.document_front),
    hash(request.document_back),
  ]);
  const body = { ...request, document_front, document_back };
  return identifyCall(deps, client.idempotencyKey, `users/kyc ${kind}`, caller.userId, body);
}

interface Decided {
  own: { kyc: KycRow | null } | undefined;
  binding: { bodyHash: string } | undefined;
}

/**
 * The KYC that a repeated call has made, as it stands by now. Undefined when nothing about session, key and KYC stood in
 * the way.
 *
 * @throws AppError saying what did.
 */
function findStanding(kind: Submission["kind"], call: IdempotentCall | undefined, { own, binding }: Decided) {
  if (!own) throw sessionEnded();
  if (call && binding && binding.bodyHash !== call.bodyHash) throw new AppError("idempotency_key_reused");
  if (binding && own.kyc) return own.kyc;
  if (own.kyc?.status === "APPROVED") {
    throw new AppError("kyc_already_approved");
  }
  if (kind === "amend" && !own.kyc) throw noKyc();
  return undefined;
}

function describeLimit(deps: Deps, uploads: { count: number; oldestAt: number | null }): RateLimit {
  const resetsAt = (uploads.oldestAt ?? deps.now()) + uploadLimit.windowMs;
  return {
    remaining: Math.max(0, uploadLimit.count - uploads.count),
    resetSeconds: Math.max(1, Math.ceil((resetsAt - deps.now()) / 1000)),
  };
}

/** The headers that tell a client its limit. */
export function uploadHeaders(limit: RateLimit): Record<string, string> {
  return rateLimitHeaders("kyc-uploads", uploadLimit, limit);
}

function tooManyUploads(limit: RateLimit): AppError {
  return new AppError("rate_limit_exceeded", {
    message: "You have sent documents too often today. Try again tomorrow.",
    retryAfterSeconds: limit.resetSeconds,
    headers: uploadHeaders(limit),
  });
}
