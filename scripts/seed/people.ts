import { v7 as uuidv7 } from "uuid";
import type { users } from "../../src/db/user-schema.ts";
import { withKey } from "../../src/users/username.ts";
import {
  GIVEN_NAMES,
  GIVEN_NAMES_IN_DEVANAGARI,
  MOBILE_PREFIXES,
  PLACES,
  RARE_MAIL_DOMAINS,
  SURNAMES,
  SURNAMES_IN_DEVANAGARI,
} from "./names.ts";
import type { Draws } from "./random.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Users inactive for longer than this are INACTIVE. */
const DORMANT_MS = 180 * DAY_MS;
const REFERRAL_ALPHABET = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"] as [string, ...string[]];

/** A user's row without the columns that SQLite computes. */
export type SeededUser = Omit<Required<typeof users.$inferInsert>, "statusBucket" | "lastLoginOrder">;

export interface Person {
  user: SeededUser;
  fullName: string | null;
  dateOfBirth: string | null;
  address: string | null;
  kyc: { status: "PENDING" | "APPROVED" | "REJECTED"; submittedAt: number; decidedAt: number } | undefined;
  /** Total of the payments into the wallet, in paisa. */
  topUpMinor: number;
  rentals: number;
}

/** A UUIDv7 of the given time (epoch ms). */
export function newId(draws: Draws, at: number): string {
  return uuidv7({ msecs: at, random: draws.bytes(16) });
}

/** Draws a random user who joined at the given time, in the state that the app would have reached by `until`. */
export function drawPerson(draws: Draws, dateJoined: number, until: number): Person {
  const isNepali = draws.chance(0.03);
  const given = draws.oneOf(isNepali ? GIVEN_NAMES_IN_DEVANAGARI : GIVEN_NAMES);
  const surname = draws.oneOf(isNepali ? SURNAMES_IN_DEVANAGARI : SURNAMES);
  const isMadeByStaff = draws.chance(0.02);
  const hasPhone = draws.chance(0.8);
  const hasEmail = !hasPhone || draws.chance(0.35);
  const phoneNumber = hasPhone ? `+977${draws.oneOf(MOBILE_PREFIXES)}${draws.digits(7)}` : null;
  const email = hasEmail ? drawEmail(draws, given, surname, isNepali) : null;
  const { username, key } = withKey(drawUsername(draws, given, surname, phoneNumber));
  const lastLogin = isMadeByStaff ? null : drawLastLogin(draws, dateJoined, until);
  const lastSeen = lastLogin ?? dateJoined;
  const isBanned = draws.chance(0.01);
  const isDormant = !isBanned && until - lastSeen > DORMANT_MS;
  const isStopped = !isBanned && !isDormant && draws.chance(0.01);
  const kyc = isMadeByStaff ? undefined : drawKyc(draws, dateJoined, lastSeen);
  const changedAt = isDormant ? lastSeen + DORMANT_MS : lastSeen;
  return {
    user: {
      id: newId(draws, dateJoined),
      username,
      usernameKey: key,
      email,
      phoneNumber,
      // Staff set second identifiers; they are unverified until the user verifies them.
      emailVerified: email !== null && !isMadeByStaff && (!hasPhone || draws.chance(0.6)),
      phoneVerified: hasPhone && !isMadeByStaff,
      profilePicture: null,
      referralCode: `REF${Array.from({ length: 6 }, () => draws.oneOf(REFERRAL_ALPHABET)).join("")}`,
      status: isBanned ? "BANNED" : isDormant || isStopped ? "INACTIVE" : "ACTIVE",
      statusReason: isBanned || isStopped ? "staff" : isDormant ? "inactivity" : null,
      role: "user",
      socialProvider: hasPhone ? "PHONE" : "EMAIL",
      socialProfileData: null,
      locale: isNepali || draws.chance(0.4) ? "ne" : "en",
      dateJoined,
      lastLogin,
      lastActivityAt: lastLogin,
      updatedAt: Math.max(changedAt, kyc?.decidedAt ?? 0),
      version: 1 + Number(isBanned || isDormant || isStopped) + (kyc ? (kyc.status === "PENDING" ? 1 : 2) : 0),
      kycStatus: "NOT_SUBMITTED",
      unreadNotifications: 0,
      notificationsReadThrough: null,
      passkeyEnrolmentUntil: null,
    },
    fullName: draws.chance(0.7) ? `${given} ${surname}` : null,
    dateOfBirth: draws.chance(0.5) ? drawBirthday(draws) : null,
    address: draws.chance(0.5) ? `${draws.oneOf(PLACES)}-${1 + draws.below(32)}` : null,
    kyc,
    topUpMinor: draws.chance(0.3) ? 5000 * (1 + draws.below(40)) : 0,
    rentals: draws.chance(0.4) ? 1 + draws.below(30) : 0,
  };
}

/** E-mail address of the seeded admin, who can sign in to the staff console by a code from the local outbox. */
export const ADMIN_EMAIL = "admin@example.com";

/** An admin who joined at the given time and can sign in by e-mail. */
export function drawAdmin(draws: Draws, dateJoined: number): Person {
  const { user } = drawPerson(draws, dateJoined, dateJoined);
  const { username, key } = withKey("admin");
  const identity = { username, usernameKey: key, email: ADMIN_EMAIL, emailVerified: true, phoneNumber: null };
  const standing = { status: "ACTIVE", statusReason: null, role: "admin", locale: "en", version: 1 } as const;
  return {
    user: { ...user, ...identity, ...standing, phoneVerified: false, socialProvider: "EMAIL", lastLogin: dateJoined },
    fullName: "Asha Gurung",
    dateOfBirth: null,
    address: null,
    kyc: undefined,
    topUpMinor: 0,
    rentals: 0,
  };
}

function drawUsername(draws: Draws, given: string, surname: string, phoneNumber: string | null): string {
  // The default username of users who sign up by phone.
  if (phoneNumber !== null && draws.chance(0.4)) return `user_${phoneNumber.slice(-4)}_${draws.digits(6)}`;
  const separator = draws.oneOf(["", ".", "_", "-"]);
  const number = draws.digits(draws.oneOf([2, 3, 4, 4, 5]));
  const name = draws.chance(0.75)
    ? given + separator + surname
    : draws.chance(0.5)
      ? given
      : surname + separator + given;
  return draws.chance(0.6) ? name.toLowerCase() + number : name + separator + number;
}

function drawEmail(draws: Draws, given: string, surname: string, isNepali: boolean): string {
  const [first, last] = isNepali ? [draws.oneOf(GIVEN_NAMES), draws.oneOf(SURNAMES)] : [given, surname];
  const local = `${first}${draws.oneOf(["", ".", "_"])}${last}${draws.digits(draws.oneOf([2, 3, 4, 5]))}`;
  return `${local}@${draws.chance(0.85) ? "gmail.com" : draws.oneOf(RARE_MAIL_DOMAINS)}`.toLowerCase();
}

/** Draws the time of the last sign-in, which is recent for most users. */
function drawLastLogin(draws: Draws, dateJoined: number, until: number): number {
  const life = until - dateJoined;
  const share = draws.chance(0.7) ? 1 - draws.fraction() ** 3 : draws.fraction();
  return dateJoined + Math.floor(life * share);
}

function drawKyc(draws: Draws, dateJoined: number, lastSeen: number): Person["kyc"] {
  if (!draws.chance(0.3)) return undefined;
  const status = draws.chance(0.75) ? "APPROVED" : draws.oneOf(["PENDING", "REJECTED"] as const);
  const submittedAt = dateJoined + Math.floor((lastSeen - dateJoined) * draws.fraction());
  const decidedAt = status === "PENDING" ? submittedAt : Math.min(lastSeen, submittedAt + draws.below(3 * DAY_MS));
  return { status, submittedAt, decidedAt };
}

function drawBirthday(draws: Draws): string {
  const year = 1955 + draws.below(52);
  return new Date(Date.UTC(year, draws.below(12), 1 + draws.below(28))).toISOString().slice(0, 10);
}
