import { type SQL, sql } from "drizzle-orm";
import { kycDocuments } from "../../db/kyc-schema.ts";
import { commit } from "../../platform/data/commit.ts";
import { insertFrom, instantOf, runBatch } from "../../platform/data/database.ts";
import { findBinding, type IdempotentCall, isBound } from "../../platform/data/idempotency.ts";
import type { Deps } from "../../platform/deps.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { selectOwnKyc } from "./kyc.store.ts";
import type { StoredNumber } from "./kyc-number.ts";
import { hasClaimed, mayChangeKyc, type SubmissionKind } from "./kyc-upload.store.ts";

/** A file to store, without its bytes. */
export interface NewDocument {
  id: string;
  side: "front" | "back";
  objectKey: string;
  contentType: string;
  sizeBytes: number;
}

/** A submission or an amendment; absent fields of an amendment stay unchanged. */
export interface Submission {
  kind: SubmissionKind;
  documentType: string | undefined;
  number: StoredNumber | undefined;
  documents: readonly NewDocument[];
}

export type SubmitDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/** The files' ids as JSON text. */
export const idsOf = (documents: readonly NewDocument[]) => JSON.stringify(documents.map(({ id }) => id));

/**
 * The caller is signed in and may submit: the KYC is not approved, exists if it is amended, and the idempotency key is
 * unused.
 */
export function maySubmit(
  deps: SubmitDeps,
  caller: AccessClaims,
  { kind }: Submission,
  call: IdempotentCall | undefined,
): SQL {
  return sql`${mayChangeKyc(deps, caller, kind)} and not ${isBound(deps, call)}`;
}

/**
 * Inserts rows for the files of a submission as pending, before any file is stored: all or none, and only if the caller
 * may submit and this call was counted as an upload.
 *
 * @returns `isReserved`, and what decided it: the caller's KYC and the key's binding.
 */
export async function reserveDocuments(
  deps: SubmitDeps,
  caller: AccessClaims,
  submission: Submission,
  call: IdempotentCall | undefined,
) {
  const now = deps.now();
  const given = sql`json_each(${JSON.stringify(submission.documents)}) given`;
  const ofGiven = (field: keyof NewDocument) => sql.raw(`json_extract(given.value, '$.${field}')`);
  const reads = {
    own: selectOwnKyc(deps, caller),
    binding: findBinding(deps, call),
    reserved: deps.db
      .select({ id: kycDocuments.id })
      .from(kycDocuments)
      .where(sql`${kycDocuments.id} in (select value from json_each(${idsOf(submission.documents)}))`),
  };
  const writes = {
    pending: insertFrom(
      deps,
      kycDocuments,
      {
        id: ofGiven("id"),
        userId: caller.userId,
        side: ofGiven("side"),
        objectKey: ofGiven("objectKey"),
        contentType: ofGiven("contentType"),
        sizeBytes: ofGiven("sizeBytes"),
        state: "pending",
        createdAt: instantOf(now),
      },
      sql`from ${given} where ${maySubmit(deps, caller, submission, call)} and ${hasClaimed(deps)}`,
    ),
  };
  const { own, binding, reserved } = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ reserved }) => reserved.length > 0,
  });
  return { isReserved: reserved.length > 0, own: own[0], binding: binding?.[0] };
}

/** Reads what a repeated call needs for its response: the caller's KYC and the key's binding. */
export async function findRepeated(deps: SubmitDeps, caller: AccessClaims, call: IdempotentCall | undefined) {
  const { own, binding } = await runBatch(deps, {
    own: selectOwnKyc(deps, caller),
    binding: findBinding(deps, call),
  });
  return { own: own[0], binding: binding?.[0] };
}
