import type { Deps } from "../../platform/deps.ts";
import { AppError } from "../../platform/http/errors.ts";
import { sessionEnded } from "../../sessions/guard.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { findOwnKyc, type KycRow } from "./kyc.store.ts";
import type { OpenKyc } from "./kyc.views.ts";
import { linkToDocument } from "./kyc-link.ts";
import { openNumber } from "./kyc-number.ts";

/** Decrypts a KYC's number and makes its links, for a viewer who may see it. */
export async function openKyc(deps: Deps, origin: string, viewer: AccessClaims, row: KycRow): Promise<OpenKyc> {
  const [documentNumber, frontUrl, backUrl] = await Promise.all([
    openNumber(deps, row),
    linkToDocument(deps, origin, viewer, row.frontDocumentId),
    row.backDocumentId === null ? null : linkToDocument(deps, origin, viewer, row.backDocumentId),
  ]);
  return { row, documentNumber, frontUrl, backUrl };
}

/** The caller's own KYC. @throws AppError `not_found` if nothing was submitted; `token_not_valid`. */
export async function getOwnKyc(deps: Deps, caller: AccessClaims, origin: string): Promise<OpenKyc> {
  const row = await findOwnKyc(deps, caller);
  if (row === undefined) throw sessionEnded();
  if (row === null) throw noKyc();
  return openKyc(deps, origin, caller, row);
}

/** The caller's own KYC for its status; null if nothing was submitted. @throws AppError `token_not_valid`. */
export async function getOwnKycStatus(deps: Deps, caller: AccessClaims): Promise<KycRow | null> {
  const row = await findOwnKyc(deps, caller);
  if (row === undefined) throw sessionEnded();
  return row;
}

/** Builds the `not_found` error for a user who has submitted nothing. */
export function noKyc(): AppError {
  return new AppError("not_found", {
    message: { en: "No documents have been submitted yet.", ne: "अहिलेसम्म कागजात पठाइएको छैन।" },
  });
}
