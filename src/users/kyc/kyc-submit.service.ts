import { base64url } from "jose";
import { type IdempotentCall, identifyCall } from "../../platform/data/idempotency.ts";
import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError, errorCatalogue } from "../../platform/http/errors.ts";
import type { FieldErrors } from "../../platform/http/field-errors.ts";
import { describeError } from "../../platform/log.ts";
import { sessionEnded } from "../../sessions/guard.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { inspectDocument } from "./files/document-file.ts";
import { openKyc } from "./kyc.service.ts";
import type { KycRow } from "./kyc.store.ts";
import type { OpenKyc } from "./kyc.views.ts";
import { objectKeyOf, putObject } from "./kyc-bucket.store.ts";
import { abandonDocuments, removeDocuments } from "./kyc-document.store.ts";
import { sealNumber } from "./kyc-number.ts";
import { findRepeated, type NewDocument, reserveDocuments, type Submission } from "./kyc-reserve.store.ts";
import { commitSubmission } from "./kyc-submit.store.ts";
import { type KycUpload, keyRoute, refuseUnlessOpen } from "./kyc-upload.service.ts";
import type { SubmissionKind } from "./kyc-upload.store.ts";

/** The fields of a submission; files as they arrived. */
export interface KycRequest {
  document_type?: string | undefined;
  document_number?: string | undefined;
  document_front?: Uint8Array<ArrayBuffer> | undefined;
  document_back?: Uint8Array<ArrayBuffer> | undefined;
}

interface StagedDocument extends NewDocument {
  bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Submits the caller's documents for review or amends the existing submission. The KYC becomes PENDING.
 *
 * @param upload the result of `admitUpload`; undefined if no file was sent.
 * @throws AppError `validation_error` naming the file that is not accepted; `kyc_already_approved`; `not_found` if
 *   there is nothing to amend; `idempotency_key_reused`.
 */
export async function submitKyc(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  kind: SubmissionKind,
  request: KycRequest,
  upload: KycUpload | undefined,
  origin: string,
): Promise<OpenKyc> {
  const answer = (row: KycRow) => openKyc(deps, origin, caller, row);
  const call = await identifySubmission(deps, client, caller, kind, request);
  if (upload?.isRepetition) {
    const repeated = findRepeatedKyc(kind, call, await findRepeated(deps, caller, call));
    if (repeated) return answer(repeated);
    throw new AppError("service_unavailable", { reason: "key expired", retryAfterSeconds: 1 });
  }
  const documents = stageDocuments(deps, caller, request);
  const { document_type: documentType, document_number: documentNumber } = request;
  if (documents.length === 0 && documentType === undefined && documentNumber === undefined) {
    throw new AppError("validation_error", {
      message: { en: "Send at least one field to change.", ne: "फेर्ने कम्तीमा एउटा विवरण पठाउनुहोस्।" },
    });
  }
  const number = documentNumber === undefined ? undefined : await sealNumber(deps, caller.userId, documentNumber);
  const submission: Submission = { kind, documentType, number, documents: documents.map(withoutBytes) };
  /** Answers a call whose key another one bound since this one was counted. */
  const repeat = (decided: SubmissionState) => {
    const repeated = requireRepeatedKyc(kind, call, decided);
    upload?.giveBack();
    return answer(repeated);
  };
  try {
    if (documents.length > 0) {
      const reserved = await reserveDocuments(deps, caller, submission, call);
      if (!reserved.isReserved) return repeat(reserved);
      await Promise.all(documents.map((document) => putObject(deps, document.objectKey, document)));
    }
    const outcome = await commitSubmission(deps, client, caller, submission, call);
    if (outcome.isDone && outcome.own?.kyc) {
      deps.afterResponse(publishCoalesced(deps, outcome.events));
      removeAfterResponse(deps, removeDocuments(deps, outcome.replaced));
      return answer(outcome.own.kyc);
    }
    const repeated = repeat(outcome);
    discard(deps, documents);
    return repeated;
  } catch (error) {
    discard(deps, documents);
    if (!(error instanceof AppError) || errorCatalogue[error.code].status >= 500) upload?.giveBack();
    throw error;
  }
}

const withoutBytes = ({ bytes: _, ...document }: StagedDocument): NewDocument => document;

/** After the response, removes the files of a failed call that no KYC refers to. */
function discard(deps: Deps, documents: readonly NewDocument[]): void {
  if (documents.length === 0) return;
  const ids = documents.map(({ id }) => id);
  removeAfterResponse(deps, abandonDocuments(deps, ids));
}

/** Removes files after the response; the sweeper removes what remains after a failure. */
function removeAfterResponse(deps: Deps, work: Promise<void>): void {
  const left = (error: unknown) => deps.log.warn("kyc_files_left", { reason: describeError(error) });
  deps.afterResponse(work.catch(left));
}

/** Checks every file. @throws AppError `validation_error` naming each file that is not accepted. */
function stageDocuments(deps: Deps, caller: AccessClaims, request: KycRequest): StagedDocument[] {
  const fields: FieldErrors = {};
  const staged: StagedDocument[] = [];
  for (const side of ["front", "back"] as const) {
    const given = request[`document_${side}`];
    if (!given) continue;
    const inspected = inspectDocument(given);
    if (!inspected.ok) {
      fields[`document_${side}`] = [inspected.error];
      continue;
    }
    const { bytes, contentType } = inspected;
    const id = deps.newId();
    const objectKey = objectKeyOf(caller.userId, id);
    staged.push({ id, side, objectKey, contentType, sizeBytes: bytes.length, bytes });
  }
  if (Object.keys(fields).length > 0) throw new AppError("validation_error", { fields });
  return staged;
}

async function identifySubmission(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  kind: SubmissionKind,
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
  return identifyCall(deps, client.idempotencyKey, keyRoute(kind), caller.userId, body);
}

interface SubmissionState {
  own: { kyc: KycRow | null } | undefined;
  binding: { bodyHash: string } | undefined;
}

/**
 * The caller's KYC in its current state if an earlier call bound the key; undefined if none did and nothing forbids
 * this call.
 *
 * @throws AppError saying what forbids it.
 */
function findRepeatedKyc(kind: SubmissionKind, call: IdempotentCall | undefined, { own, binding }: SubmissionState) {
  if (!own) throw sessionEnded();
  if (call && binding && binding.bodyHash !== call.bodyHash) throw new AppError("idempotency_key_reused");
  if (binding && own.kyc) return own.kyc;
  refuseUnlessOpen(kind, own.kyc);
  return undefined;
}

/**
 * As `findRepeatedKyc`.
 *
 * @throws AppError `service_unavailable` if nothing forbids the call: its files were swept.
 */
function requireRepeatedKyc(kind: SubmissionKind, call: IdempotentCall | undefined, decided: SubmissionState): KycRow {
  const repeated = findRepeatedKyc(kind, call, decided);
  if (!repeated) throw new AppError("service_unavailable", { reason: "files swept", retryAfterSeconds: 2 });
  return repeated;
}
