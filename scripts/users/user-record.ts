import { createHash } from "node:crypto";
import { v7 as uuidv7 } from "uuid";
import { z } from "zod";
import { AppError } from "../../src/platform/http/errors.ts";
import { as, type FieldErrors, fieldErrorText } from "../../src/platform/http/field-errors.ts";
import { optionalText, text } from "../../src/platform/http/fields.ts";
import { codeOfIssue, fieldErrorsOf } from "../../src/platform/http/schema-errors.ts";
import { findUnfit, oneLine } from "../../src/platform/http/text.ts";
import { parseMinor } from "../../src/platform/money.ts";
import { parseIdentifier } from "../../src/users/identifier.ts";
import { profileFields } from "../../src/users/profile.fields.ts";
import { checkBirth } from "../../src/users/profile.service.ts";
import { canonicalReferralCode } from "../../src/users/referral-code.ts";
import { accountStatus } from "../../src/users/user-enums.ts";
import { anyUsernameField, withKey } from "../../src/users/username.ts";

/** A user as the files of `npm run import` and `npm run export` hold one per line. Amounts are decimal text. */
export interface UserRecord {
  id: string;
  username: string;
  email: string | null;
  phone_number: string | null;
  email_verified: boolean;
  phone_verified: boolean;
  full_name: string | null;
  date_of_birth: string | null;
  address: string | null;
  profile_picture: string | null;
  avatar_url: string | null;
  locale: "en" | "ne";
  status: "ACTIVE" | "INACTIVE" | "BANNED";
  status_reason: "inactivity" | "staff" | null;
  referral_code: string;
  /** ISO 8601, UTC. */
  date_joined: string;
  last_login: string | null;
  wallet_balance: string;
  current_points: number;
  total_points: number;
}

/** A valid line, in the form in which it is stored. */
export interface ImportedUser
  extends Omit<UserRecord, "date_joined" | "last_login" | "wallet_balance" | "referral_code"> {
  /** The user's key in the previous system; recorded in the audit log. */
  legacyId: string | null;
  usernameKey: string;
  /** Null if the line has none: the import generates one. */
  referral_code: string | null;
  /** Epoch milliseconds. */
  dateJoined: number;
  lastLogin: number | null;
  balanceMinor: number;
}

/** Greatest length of a referral code that a registration accepts. */
const MAX_REFERRAL_CODE = 10;
const EARLIEST_JOIN = Date.UTC(2000, 0, 1);

const instant = z.iso.datetime({ offset: true });
const points = z.number().int().min(0).max(1_000_000_000);
const amount = z.union([z.string(), z.number()]).transform((given, context) => {
  const minor = parseMinor(String(given));
  if (minor === undefined) context.addIssue({ code: "custom", message: as("invalid") });
  return minor ?? 0;
});

const recordSchema = z.strictObject({
  id: z.uuid().toLowerCase().nullish(),
  legacy_id: text(z.string().min(1).max(64)).nullish(),
  username: anyUsernameField,
  email: optionalText(z.string()),
  phone_number: optionalText(z.string()),
  email_verified: z.boolean().default(false),
  phone_verified: z.boolean().default(false),
  full_name: profileFields.full_name,
  date_of_birth: profileFields.date_of_birth,
  address: profileFields.address,
  profile_picture: profileFields.avatar_url,
  avatar_url: profileFields.avatar_url,
  locale: z.enum(["en", "ne"]).default("en"),
  status: accountStatus.default("ACTIVE"),
  status_reason: z.enum(["inactivity", "staff"]).nullish(),
  referral_code: optionalText(
    z
      .string()
      .max(MAX_REFERRAL_CODE)
      .regex(/^[A-Z0-9]+$/),
    canonicalReferralCode,
  ),
  date_joined: instant,
  last_login: instant.nullish(),
  wallet_balance: amount.default(0),
  current_points: points.default(0),
  total_points: points.optional(),
});

/** What the rules depend on besides the line. */
export interface ImportRules {
  /** Countries whose mobile numbers are accepted, ISO 3166. */
  smsCountries: string[];
  /** Epoch milliseconds. */
  now: number;
}

/** Reads a line of the file. @returns the user, or one sentence for each error. */
export function readUserRecord(
  line: string,
  rules: ImportRules,
): { user: ImportedUser; errors?: never } | { user?: never; errors: string[] } {
  let given: unknown;
  try {
    given = JSON.parse(line);
  } catch {
    return { errors: ["is not valid JSON"] };
  }
  if (typeof given !== "object" || given === null || Array.isArray(given)) return { errors: ["is not a JSON object"] };
  const unfit: FieldErrors = {};
  for (const [name, value] of Object.entries(given)) {
    const code = typeof value === "string" ? findUnfit(value) : undefined;
    if (code !== undefined) unfit[name] = [{ code }];
  }
  const parsed = recordSchema.safeParse(given, { error: codeOfIssue });
  if (!parsed.success) {
    const { issues } = parsed.error;
    return { errors: describe({ ...fieldErrorsOf(issues), ...unfit }, issues) };
  }
  if (Object.keys(unfit).length > 0) return { errors: describe(unfit) };
  return toUser(parsed.data, rules);
}

function describe(errors: FieldErrors, issues: readonly z.core.$ZodIssue[] = []): string[] {
  const unknown = issues.flatMap((issue) => (issue.code === "unrecognized_keys" ? issue.keys : []));
  const { body: _, ...named } = errors;
  return [
    ...Object.entries(named).flatMap(([field, found]) =>
      found.map((each) => `${field}: ${fieldErrorText(each, "en")}`),
    ),
    ...unknown.map((name) => `${name}: is not a field of the format`),
  ];
}

function toUser(
  given: z.infer<typeof recordSchema>,
  { smsCountries, now }: ImportRules,
): { user: ImportedUser; errors?: never } | { user?: never; errors: string[] } {
  const errors: string[] = [];
  const identifier = (field: "email" | "phone_number") => {
    const typed = given[field];
    if (typed === undefined) return null;
    try {
      const config = { smsCountries } as Parameters<typeof parseIdentifier>[0]["config"];
      return parseIdentifier({ config }, typed, { field, kind: field === "email" ? "email" : "phone" }).value;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      errors.push(...describe(error.options.fields ?? {}));
      return null;
    }
  };
  const [email, phone] = [identifier("email"), identifier("phone_number")];
  const { username, status } = given;
  const [dateJoined, lastLogin] = [
    Date.parse(given.date_joined),
    given.last_login ? Date.parse(given.last_login) : null,
  ];
  const totalPoints = given.total_points ?? given.current_points;
  const reason = given.status_reason ?? (status === "ACTIVE" ? null : status === "BANNED" ? "staff" : "inactivity");
  const require = (isRight: boolean, error: string) => void (isRight || errors.push(error));
  require(username !== undefined, "username: This field is required.");
  require(given.email !== undefined || given.phone_number !== undefined, "email or phone_number is required");
  require(!given.email_verified || given.email !== undefined, "email_verified: there is no email");
  require(!given.phone_verified || given.phone_number !== undefined, "phone_verified: there is no phone_number");
  require(Boolean(given.id) || Boolean(given.legacy_id), "id or legacy_id is required");
  require(dateJoined >= EARLIEST_JOIN && dateJoined <= now, "date_joined: must be between 2000 and now");
  require(lastLogin === null ||
    (lastLogin >= dateJoined && lastLogin <= now), "last_login: must be between date_joined and now");
  require(totalPoints >= given.current_points, "total_points: must not be less than current_points");
  require((status === "ACTIVE") === (reason === null), "status_reason: applies exactly to users who are not ACTIVE");
  require(status !== "BANNED" || reason === "staff", "status_reason: must be staff for BANNED");
  errors.push(...describe(checkBirth({ now: () => now }, given.date_of_birth)));
  if (errors.length > 0) return { errors };
  const name = withKey(username ?? "");
  const id = given.id ?? idOf(given.legacy_id ?? "", dateJoined);
  return {
    user: {
      id,
      legacyId: given.legacy_id ?? null,
      username: name.username,
      usernameKey: name.key,
      email,
      phone_number: phone,
      email_verified: given.email_verified,
      phone_verified: given.phone_verified,
      full_name: given.full_name ?? null,
      date_of_birth: given.date_of_birth ?? null,
      address: given.address ?? null,
      profile_picture: given.profile_picture ?? null,
      avatar_url: given.avatar_url ?? null,
      locale: given.locale,
      status,
      status_reason: reason,
      referral_code: given.referral_code ?? null,
      dateJoined,
      lastLogin,
      balanceMinor: given.wallet_balance,
      current_points: given.current_points,
      total_points: totalPoints,
    },
  };
}

const digest = (given: string) => createHash("sha256").update(given).digest();

/** The id of a user of the previous system: the same at every import. Sorts by the time of joining, as all ids do. */
const idOf = (legacyId: string, dateJoined: number) =>
  uuidv7({ msecs: dateJoined, random: digest(`imported user ${oneLine(legacyId)}`).subarray(0, 16) });

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/** The nth candidate for the referral code of a user without one. */
export const referralCodeOf = (id: string, nth: number) =>
  `REF${[...digest(`referral code ${nth} of ${id}`).subarray(0, 6)].map((byte) => ALPHABET[byte % ALPHABET.length]).join("")}`;
