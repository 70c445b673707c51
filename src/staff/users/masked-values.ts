import { parseJson } from "../../platform/json.ts";
import { emailHint, phoneHint } from "../directory/hints.ts";

const HIDDEN = "•••";
/** Names of values that identify a person and have no hint. */
const HIDDEN_NAMES: ReadonlySet<string> = new Set([
  "date_of_birth",
  "address",
  "document_number",
  "social_profile_data",
  "avatar_url",
  "profile_picture",
]);
const EMAIL = /^\S+@\S+$/;
/** E.164. */
const PHONE = /^\+\d{7,15}$/;

/** The value with email addresses and phone numbers as hints, and `HIDDEN_NAMES` hidden. Names and other texts stay. */
export function maskValues<T>(value: T): T {
  return masked(value) as T;
}

function masked(value: unknown, name = ""): unknown {
  if (value === null || value === undefined) return value;
  if (HIDDEN_NAMES.has(name)) return HIDDEN;
  if (typeof value === "string")
    return EMAIL.test(value) ? emailHint(value) : PHONE.test(value) ? phoneHint(value) : value;
  if (Array.isArray(value)) return value.map((each) => masked(each));
  if (typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, masked(each, key)]));
}

/** JSON text, masked; text that is no JSON is hidden. Null stays null. */
export function maskJsonText(text: string | null): string | null {
  if (text === null) return null;
  const value = parseJson(text);
  return value === undefined ? HIDDEN : JSON.stringify(maskValues(value));
}
