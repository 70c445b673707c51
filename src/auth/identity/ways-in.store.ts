import { type SQL, sql } from "drizzle-orm";

/** The way to sign in that is about to go: an identifier, the link to a provider, or a passkey by its id. */
export type WayIn = { identifier: "email" | "phone" } | { provider: "GOOGLE" | "APPLE" } | { passkeyId: string };

/**
 * The user has a way to sign in other than `leaving`: a verified identifier, a link that the person has not withdrawn
 * at the provider, or a passkey. Use it in the statement that removes the way, so that parallel removals leave one.
 */
export function hasOtherWayIn(userId: string, leaving: WayIn): SQL {
  const remains = (kind: "email" | "phone") => !("identifier" in leaving) || leaving.identifier !== kind;
  const provider = "provider" in leaving ? leaving.provider : "";
  const passkeyId = "passkeyId" in leaving ? leaving.passkeyId : "";
  const email = remains("email") ? sql`(u.email is not null and u.email_verified)` : sql`false`;
  const phone = remains("phone") ? sql`(u.phone_number is not null and u.phone_verified)` : sql`false`;
  return sql`exists (select 1 from users u where u.id = ${userId} and (${email} or ${phone}
    or exists (select 1 from social_accounts l where l.user_id = u.id and l.revoked_at is null and l.provider <> ${provider})
    or exists (select 1 from passkeys p where p.user_id = u.id and p.id <> ${passkeyId})))`;
}
