import { type SQL, sql } from "drizzle-orm";
import { kycDocuments } from "../db/kyc-schema.ts";
import { inOneTrip, insertFrom, instantOf, together } from "../platform/database.ts";
import type { Deps } from "../platform/deps.ts";
import { findBinding, type IdempotentCall, isBound } from "../platform/idempotency.ts";
import { isSignedIn } from "../sessions/session.store.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { selectOwnKyc } from "./kyc.store.ts";
import type { RestingNumber } from "./kyc-number.ts";

/** Uploads a user may make, whatever comes of them, in a rolling day (ASVS 5.2.4). */
export const uploadLimit = { count: 10, windowMs: 24 * 60 * 60 * 1000 };

export interface NewDocument {
  id: string;
  side: "front" | "back";
  objectKey: string;
  contentType: string;
  sizeBytes: number;
}

export interface Submission {
  /** `amend` changes what is sent of a KYC that there is already; `submit` sends all of it. */
  kind: "submit" | "amend";
  documentType: string | undefined;
  number: RestingNumber | undefined;
  documents: readonly NewDocument[];
}

export type SubmitDeps = Pick<Deps, "db" | "now" | "newId" | "attemptId" | "log">;

/** JSON text of the files' ids. */
export const idsOf = (documents: readonly NewDocument[]) => JSON.stringify(documents.map(({ id }) => id));

/** Holds while the caller may submit: signed in, not approved, with a KYC to amend, and under a key that is free. */
export function maySubmit(
  deps: SubmitDeps,
  caller: AccessClaims,
  { kind }: Submission,
  call: IdempotentCall | undefined,
): SQL {
  const own = sql`select 1 from kyc where kyc.user_id = ${caller.userId}`;
  const isOpen =
    kind === "amend"
      ? sql`exists (${own} and kyc.status <> 'APPROVED')`
      : sql`not exists (${own} and kyc.status = 'APPROVED')`;
  return sql`${isSignedIn(deps, caller)} and ${isOpen} and not ${isBound(deps, call)}`;
}

/**
 * Enters the files of a submission as pending, before any of them is put, where the caller may submit and has uploads
 * left today; all of them or none.
 *
 * @returns `isReserved`, and what decided it: the caller's KYC, the key's binding, and the day's uploads with this one.
 */
export async function reserveDocuments(
  deps: SubmitDeps,
  caller: AccessClaims,
  submission: Submission,
  call: IdempotentCall | undefined,
) {
  const now = deps.now();
  const recent = sql`from kyc_documents where user_id = ${caller.userId} and created_at > ${now - uploadLimit.windowMs}`;
  const given = sql`json_each(${JSON.stringify(submission.documents)}) given`;
  const ofGiven = (field: keyof NewDocument) => sql.raw(`json_extract(given.value, '$.${field}')`);
  const reads = {
    own: selectOwnKyc(deps, caller),
    binding: findBinding(deps, call),
    uploads: deps.db
      .select({
        count: sql<number>`(select count(distinct upload_id) ${recent})`.as("uploads"),
        oldestAt: sql<number | null>`(select min(created_at) ${recent})`.as("oldest_at"),
      })
      .from(sql`(select 1)`),
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
        uploadId: deps.attemptId,
        side: ofGiven("side"),
        objectKey: ofGiven("objectKey"),
        contentType: ofGiven("contentType"),
        sizeBytes: ofGiven("sizeBytes"),
        state: "pending",
        createdAt: instantOf(now),
      },
      sql`from ${given} where ${maySubmit(deps, caller, submission, call)}
        and (select count(distinct upload_id) ${recent}) < ${uploadLimit.count}`,
    ),
  };
  const { own, binding, uploads, reserved } = await inOneTrip(deps, together(writes, reads)).catch((error) =>
    // The batch may stand although its answer was lost: the files' own ids tell.
    inOneTrip(deps, reads).then((found) => {
      if (found.reserved.length === 0) throw error;
      return found;
    }),
  );
  return {
    isReserved: reserved.length > 0,
    own: own[0],
    binding: binding?.[0],
    uploads: uploads[0] ?? { count: 0, oldestAt: null },
  };
}
