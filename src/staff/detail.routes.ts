import { z } from "zod";
import type { Deps } from "../platform/deps.ts";
import { optionalText, text, textError, tidy, withoutControls } from "../platform/fields.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { openKyc } from "../users/kyc.service.ts";
import type { Person } from "./person.service.ts";
import { viewPersonDetail } from "./person.views.ts";

// What the routes about one person share.

export const params = z.object({ id: z.uuid("Must be an id.") });

const reasonText = withoutControls(
  z.string({ error: textError }).min(1, "This field is required.").max(255, "Must have at most 255 characters."),
);
export const reason = text(reasonText, tidy).meta({ description: "Kept in the audit log.", example: "Asked by phone" });
export const optionalReason = optionalText(reasonText, tidy);

/** The answer that shows the person, with links to their documents that are the caller's. */
export async function viewDetail(deps: Deps, person: Person, caller: AccessClaims, origin: string) {
  const open = person.kyc ? await openKyc(deps, origin, caller, person.kyc) : null;
  return { data: viewPersonDetail(person, open) };
}
