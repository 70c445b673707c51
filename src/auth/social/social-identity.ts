import { z } from "zod";
import { storableHttpsUrl } from "../../platform/http/fields.ts";
import { findUnfit, salvage } from "../../platform/http/text.ts";
import { canonicalEmail } from "../../users/email-address.ts";
import type { ProviderName } from "./social-provider.ts";

/** A person's identity as asserted by a provider. */
export const socialIdentity = z.object({
  provider: z.enum(["google", "apple"]),
  issuer: z.string(),
  subject: z.string(),
  /** In the form of `canonicalEmail`; null if the provider gives none, or one that is not an address. */
  email: z.string().nullable(),
  /**
   * The provider verified the address and manages its domain. Only then does the address become the account's or find
   * an existing account.
   */
  isEmailAuthoritative: z.boolean(),
  name: z.string().nullable(),
  /** https URL in its canonical form. */
  picture: z.string().nullable(),
});
export type SocialIdentity = z.infer<typeof socialIdentity>;

/** A claim that counts as absent if it is not a string. */
const optionalClaim = z.string().optional().catch(undefined);

const claims = z.object({
  sub: z
    .string()
    .min(1)
    .max(255)
    .refine((sub) => findUnfit(sub) === undefined),
  email: optionalClaim,
  email_verified: z.unknown().optional(),
  /** The Workspace domain of a Google account. */
  hd: optionalClaim,
  name: optionalClaim,
  picture: optionalClaim,
});

/** Domains of Apple's own mail and of its private relay. */
const APPLE_DOMAINS = ["icloud.com", "me.com", "mac.com", "privaterelay.appleid.com"];
const MAX_NAME_LENGTH = 255;

/**
 * Reads the identity from the claims of a verified ID token.
 *
 * @param givenName the name that Apple sends once, outside the token.
 * @returns undefined if the subject is missing, longer than 255 characters or not fit for storage.
 */
export function readIdentity(
  provider: ProviderName,
  issuer: string,
  payload: unknown,
  givenName?: string,
): SocialIdentity | undefined {
  const parsed = claims.safeParse(payload);
  if (!parsed.success) return undefined;
  const { sub, hd, picture } = parsed.data;
  const email = canonicalEmail(parsed.data.email?.trim() ?? "") ?? null;
  const domain = email?.slice(email.lastIndexOf("@") + 1) ?? "";
  const isManaged = provider === "google" ? domain === "gmail.com" || Boolean(hd) : APPLE_DOMAINS.includes(domain);
  const name = salvage(givenName ?? parsed.data.name, MAX_NAME_LENGTH);
  return {
    provider,
    issuer,
    subject: sub,
    email,
    isEmailAuthoritative: email !== null && isManaged && isVerified(provider, parsed.data.email_verified),
    name: name !== null && name.length >= 2 ? name : null,
    picture: storableHttpsUrl(picture),
  };
}

/** Apple documents both the boolean and the string "true"; Google sends only the boolean. */
function isVerified(provider: ProviderName, claim: unknown): boolean {
  return claim === true || (provider === "apple" && claim === "true");
}
