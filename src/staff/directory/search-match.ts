import type { Identifier } from "../../users/identifier.ts";
import { canonicalReferralCode } from "../../users/referral-code.ts";
import { type Searched, type SearchPattern, searchTextOf } from "./search-text.ts";

/** Fields that a search can find a user by. */
export const MATCHED_FIELDS = [
  ...(["id", "email", "phone_number", "username", "referral_code", "document_number", "full_name"] as const),
] as const;

export type MatchedField = (typeof MATCHED_FIELDS)[number];

/** What a typed text names in full, beside ids and usernames. */
export interface Named {
  /** Undefined if the text is no identifier. */
  identifier: Identifier | undefined;
  /** Ids of users whose KYC has the text as its document number. */
  documentOwners: ReadonlySet<string>;
}

/**
 * The field by which a search found the user, so that a username that imitates another user's number is not mistaken
 * for it. Whole values come first, then parts of the number, the address and the username; if none of them contains the
 * text, the full name matched.
 */
export function matchedField(
  pattern: SearchPattern,
  { identifier, documentOwners }: Named,
  user: Omit<Searched, "fullName"> & { id: string; referralCode: string },
): MatchedField {
  if (user.id === pattern.text) return "id";
  if (identifier?.kind === "email" && identifier.value === user.email) return "email";
  if (identifier?.kind === "phone" && identifier.value === user.phoneNumber) return "phone_number";
  if (user.usernameKey === pattern.text) return "username";
  if (user.referralCode === canonicalReferralCode(pattern.text)) return "referral_code";
  if (documentOwners.has(user.id)) return "document_number";
  const { email, phoneNumber } = user;
  if (phoneNumber !== null && pattern.numbers.some((number) => phoneNumber.startsWith(number))) return "phone_number";
  const none = { usernameKey: "", email: null, phoneNumber: null, fullName: null };
  const holdsPart = (field: Partial<Searched>) => {
    const text = searchTextOf({ ...none, ...field });
    return pattern.parts.some((part) => text.includes(part));
  };
  if (holdsPart({ phoneNumber })) return "phone_number";
  if (holdsPart({ email })) return "email";
  return holdsPart({ usernameKey: user.usernameKey }) ? "username" : "full_name";
}
