import { z } from "zod";
import { canonicalEmail } from "../../users/email-address.ts";
import type { ProviderName } from "./social-provider.ts";

/** Who a provider says that somebody is. */
export const socialIdentity = z.object({
  provider: z.enum(["google", "apple"]),
  issuer: z.string(),
  subject: z.string(),
  /** As `canonicalEmail` gives it; null where the provider gives none, or text that is no address. */
  email: z.string().nullable(),
  /** The provider vouches for the address: it checked it, and it is its own to give out. Only then is it the account's. */
  isEmailAuthoritative: z.boolean(),
  name: z.string().nullable(),
  /** https URL. */
  picture: z.string().nullable(),
});
export type SocialIdentity = z.infer<typeof socialIdentity>;

const httpsUrl = z.url({ protocol: /^https$/ }).max(2048);

/** A claim of an unexpected type counts as absent. */
const optionalClaim = z.string().optional().catch(undefined);

const claims = z.object({
  sub: z.string().min(1).max(255),
  email: optionalClaim,
  email_verified: z.unknown().optional(),
  /** Google: the Workspace domain that the account is of. */
  hd: optionalClaim,
  name: optionalClaim,
  picture: optionalClaim,
});

/** Domains of Apple's own mail, and of the relay that hides an address. */
const APPLE_DOMAINS = ["icloud.com", "me.com", "mac.com", "privaterelay.appleid.com"];
const MAX_NAME_LENGTH = 255;

/**
 * Reads an ID token's claims, whose signature, issuer, audience and time hold already.
 *
 * @param givenName the name that Apple hands over beside the token, once.
 * @returns undefined when the subject is missing.
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
  const isOwn = provider === "google" ? domain === "gmail.com" || Boolean(hd) : APPLE_DOMAINS.includes(domain);
  const name = (givenName ?? parsed.data.name ?? "")
    .normalize("NFC")
    .replace(/[\p{Cc}\s]+/gu, " ")
    .trim();
  return {
    provider,
    issuer,
    subject: sub,
    email,
    isEmailAuthoritative: email !== null && isOwn && isVerified(provider, parsed.data.email_verified),
    name: name.length >= 2 ? name.slice(0, MAX_NAME_LENGTH) : null,
    picture: httpsUrl.safeParse(picture).success ? (picture ?? null) : null,
  };
}

/** Apple documents the word "true" beside the boolean; from Google it would be nothing Google sends. */
function isVerified(provider: ProviderName, claim: unknown): boolean {
  return claim === true || (provider === "apple" && claim === "true");
}
