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

export interface NewDocument {
  id: string;
  side: "front" | "back";
  objectKey: string;
  contentType: string;
  sizeBytes: number;
}

export interface Submission {
  kind: SubmissionKind;
  documentType: string | undefined;
  number: StoredNumber | undefined;
  documents: readonly NewDocument[];
}

export type SubmitDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/** JSON text of the files' ids. */
export const idsOf = (documents: readonly NewDocument[]) => JSON.stringify(documents.map(({ id }) => id));

/** Holds while the caller may submit: signed in, not approved, with a KYC to amend, and under a key that is free. */
export function maySubmit(
  deps: SubmitDeps,
  caller: AccessClaims,
  { kind }: Submission,
  call: IdempotentCall | undefined,
): SQL {
  return sql`${mayChangeKyc(deps, caller, kind)} and not ${isBound(deps, call)}`;
}

/**
 * Enters the files of a submission as pending, before any of them is put, where the caller may submit and this
 * call was counted as an upload; all of them or none.
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

/** What a repetition of a finished call is answered from: the caller's KYC and the key's binding. */
export async function findRepeated(deps: SubmitDeps, caller: AccessClaims, call: IdempotentCall | undefined) {
  const { own, binding } = await runBatch(deps, {
    own: selectOwnKyc(deps, caller),
    binding: findBinding(deps, call),
  });
  return { own: own[0], binding: binding?.[0] };
}
