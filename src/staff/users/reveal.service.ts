import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { userNotFound } from "../refusals.ts";
import { auditFieldView } from "./reveal.store.ts";
import type { HiddenField } from "./user-detail.views.ts";

/**
 * The values of fields of a user; null where the user has none. The view is recorded, with the names of the fields.
 *
 * @throws AppError `permission_denied`; `not_found`; `rate_limit_exceeded` if the caller has no views left.
 */
export async function getRevealed(
  deps: Deps,
  client: Client,
  caller: StaffClaims,
  userId: string,
  fields: readonly HiddenField[],
) {
  const found = await auditFieldView(deps, client, caller, userId, fields);
  if (!found) throw userNotFound();
  return Object.fromEntries(fields.map((field) => [field, found[field] ?? null])) as Partial<typeof found>;
}
