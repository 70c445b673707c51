import { z } from "zod";
import { type RandomBytes, randomDigits } from "../platform/crypto.ts";
import { as } from "../platform/http/field-errors.ts";
import { optionalText } from "../platform/http/fields.ts";
import type { Identifier } from "./identifier.ts";
import { readsAsIdentifier } from "./lookalike.ts";

const MAX_LENGTH = 150;
/**
 * Letters, marks and digits of any script, and `@ . + - _`, after NFKC, as in the previous service. Invisible
 * characters are refused because two names could differ in nothing else; so is a leading mark, which has no letter to
 * attach to.
 */
const ALLOWED = /^(?!\p{M})(?:(?!\p{Default_Ignorable_Code_Point})[\p{L}\p{M}\p{N}@.+_-])+$/u;

export interface Username {
  username: string;
  /** Unique among users: one case, one Unicode form. */
  key: string;
}

const username = z.string().max(MAX_LENGTH).regex(ALLOWED, as("username_characters"));
const described = {
  description:
    "Letters, marks and digits of any script, and `@ . + - _`. It must not look like an email address, a phone number or an id.",
};
const inNfkc = (given: string) => given.normalize("NFKC");

/** Optional username of a new account, in NFKC. */
export const usernameField = optionalText(
  username.refine((given) => !readsAsIdentifier(given), {
    error: as("username_reads_as_identifier"),
    // Reports one error at a time: the lookalike check runs only on a name of valid length and characters.
    when: ({ issues }) => issues.length === 0,
  }),
  inNfkc,
).meta({ id: "Username", ...described });

/** Optional username of an existing account, which may predate the lookalike check. */
export const anyUsernameField = optionalText(username, inNfkc).meta(described);

/**
 * The username with its key. Upper-casing first also folds ß with ss and σ with ς, which lower-casing alone keeps
 * apart.
 */
export function withKey(username: string): Username {
  return { username, key: username.normalize("NFKC").toUpperCase().toLowerCase().normalize("NFKC") };
}

/**
 * Candidate names for a user who chose none, best first: the email's local part, or `user_` and the last four digits of
 * the number, then the same with more and more random digits. None can be mistaken for an identifier.
 */
export function defaultUsernames(randomBytes: RandomBytes, identifier: Identifier): Username[] {
  const base = baseOf(identifier);
  const suffixes = [4, 4, 6, 6, 12].map((length) => `_${randomDigits(randomBytes, length)}`);
  return ["", ...suffixes]
    .map((suffix) => base + suffix)
    .filter((name) => !readsAsIdentifier(name))
    .map(withKey);
}

function baseOf({ kind, value }: Identifier): string {
  if (kind === "phone") return `user_${value.slice(-4)}`;
  const localPart = value.slice(0, value.indexOf("@")).replace(/[^a-z0-9.+_-]/g, "_");
  return localPart.slice(0, MAX_LENGTH - 13);
}
