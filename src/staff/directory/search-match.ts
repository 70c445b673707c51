import type { Identifier } from "../../users/identifier.ts";
import { type Searched, type SearchPattern, searchTextOf } from "./search-text.ts";

/** Fields that a search can find a user by. */
export const MATCHED_FIELDS = ["id", "email", "phone_number", "username"] as const;

export type MatchedField = (typeof MATCHED_FIELDS)[number];

/**
 * The field by which a search found the user, so that a username that imitates another user's number is not mistaken
 * for it. A whole id or identifier comes first, and a number or an address before a username.
 *
 * @param identifier the typed text as an identifier; undefined if it is not one.
 */
export function matchedField(
  pattern: SearchPattern,
  identifier: Identifier | undefined,
  user: Searched & { id: string },
): MatchedField {
  if (user.id === pattern.text) return "id";
  if (identifier?.kind === "email" && identifier.value === user.email) return "email";
  if (identifier?.kind === "phone" && identifier.value === user.phoneNumber) return "phone_number";
  if (user.usernameKey === pattern.text) return "username";
  const { email, phoneNumber } = user;
  if (phoneNumber !== null && pattern.numbers.some((number) => phoneNumber.startsWith(number))) return "phone_number";
  const none = { usernameKey: "", email: null, phoneNumber: null };
  const holdsPart = (field: Partial<Searched>) => {
    const text = searchTextOf({ ...none, ...field });
    return pattern.parts.some((part) => text.includes(part));
  };
  if (holdsPart({ phoneNumber })) return "phone_number";
  return holdsPart({ email }) ? "email" : "username";
}
