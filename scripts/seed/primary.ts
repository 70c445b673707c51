import type { DatabaseSync } from "node:sqlite";
import { kyc, kycDocuments } from "../../src/db/kyc-schema.ts";
import {
  OWN_SOURCE,
  points,
  pointTransactions,
  userStatistics,
  wallets,
  walletTransactions,
} from "../../src/db/ledger-schema.ts";
import { auditLogs } from "../../src/db/platform-schema.ts";
import { profiles, users } from "../../src/db/user-schema.ts";
import { CURRENCY } from "../../src/nepal.ts";
import type { Keyring } from "../../src/platform/config/keyring.ts";
import { objectKeyOf } from "../../src/users/kyc/kyc-bucket.store.ts";
import { sealNumber } from "../../src/users/kyc/kyc-number.ts";
import { inserter } from "./databases.ts";
import { newId, type Person } from "./people.ts";
import type { Draws } from "./random.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Retention of audit rows. */
const AUDIT_MS = 365 * DAY_MS;
const SIGNUP_BONUS = 50;

/**
 * Returns a function that writes a user into the primary as the app does; triggers maintain the counts and KYC
 * statuses.
 *
 * @returns a function that returns whether the user was inserted; false if another user has the same name, address or
 *   number.
 */
export function peopleWriter(database: DatabaseSync, keyring: Keyring, draws: Draws, until: number) {
  const insert = {
    user: inserter(database, users),
    profile: inserter(database, profiles),
    wallet: inserter(database, wallets),
    walletTransaction: inserter(database, walletTransactions),
    points: inserter(database, points),
    pointTransaction: inserter(database, pointTransactions),
    statistics: inserter(database, userStatistics),
    kyc: inserter(database, kyc),
    document: inserter(database, kycDocuments),
    audit: inserter(database, auditLogs),
  };
  return async (person: Person): Promise<boolean> => {
    const { user } = person;
    if (!insert.user(user)) return false;
    writeAccount(person);
    writeLedgers(person);
    if (person.kyc) await writeKyc(user.id, person.kyc);
    return true;
  };

  function writeAccount({ user, fullName, dateOfBirth, address }: Person): void {
    const { id: userId, dateJoined } = user;
    insert.profile({
      userId,
      id: newId(draws, dateJoined),
      fullName,
      dateOfBirth,
      address,
      // All reminders count as sent, so that a server that starts later sends none.
      profileReminders: 3,
      kycReminders: 2,
      createdAt: dateJoined,
      updatedAt: dateJoined,
    });
    if (until - dateJoined > AUDIT_MS) return;
    insert.audit({
      id: newId(draws, dateJoined),
      userId,
      action: "CREATE",
      entityType: "user",
      entityId: userId,
      newValues: { username: user.username, social_provider: user.socialProvider, referred: false },
      actorId: userId,
      byStaff: false,
      createdAt: dateJoined,
    });
  }

  function writeLedgers({ user, topUpMinor, rentals }: Person): void {
    const { id: userId, dateJoined: at, lastLogin } = user;
    const bonus = lastLogin === null ? 0 : SIGNUP_BONUS;
    insert.wallet({ userId, balanceMinor: topUpMinor, currency: CURRENCY, updatedAt: at });
    insert.points({ userId, currentPoints: bonus, totalPoints: bonus, updatedAt: at });
    if (bonus > 0) {
      const entry = { source: OWN_SOURCE, reason: "signup_bonus", reference: "signup" };
      insert.pointTransaction({ id: newId(draws, at), userId, delta: bonus, ...entry, createdAt: at });
    }
    if (topUpMinor > 0) {
      const id = newId(draws, at);
      const amounts = { amountMinor: topUpMinor, walletDeltaMinor: topUpMinor, currency: CURRENCY };
      const kind = { source: "payments", transactionId: id, transactionType: "TOPUP" as const };
      insert.walletTransaction({ id, userId, ...kind, ...amounts, occurredAt: at, createdAt: at });
    }
    if (topUpMinor === 0 && rentals === 0) return;
    const lateReturns = Math.floor(rentals / 8);
    insert.statistics({
      userId,
      totalRentals: rentals,
      totalSpentMinor: topUpMinor,
      totalReferrals: 0,
      timelyReturns: rentals - lateReturns,
      lateReturns,
      favoriteStationsCount: 0,
      lastRentalAt: rentals === 0 ? null : (lastLogin ?? at),
      updatedAt: lastLogin ?? at,
    });
  }

  async function writeKyc(userId: string, { status, submittedAt, decidedAt }: NonNullable<Person["kyc"]>) {
    const number = `${10 + draws.below(67)}-0${1 + draws.below(3)}-${draws.digits(2)}-${draws.digits(5)}`;
    const { sealed, keyId, index } = await sealNumber({ keyring, randomBytes: draws.bytes }, userId, number);
    const documentId = newId(draws, submittedAt);
    insert.document({
      id: documentId,
      userId,
      side: "front",
      objectKey: objectKeyOf(userId, documentId),
      contentType: "image/jpeg",
      sizeBytes: 100_000 + draws.below(2_000_000),
      state: "live",
      createdAt: submittedAt,
    });
    insert.kyc({
      userId,
      id: newId(draws, submittedAt),
      documentType: draws.oneOf(["CITIZENSHIP", "CITIZENSHIP", "PASSPORT", "LICENSE"]),
      documentNumberSealed: sealed,
      documentNumberKeyId: keyId,
      documentNumberIndex: index,
      frontDocumentId: documentId,
      backDocumentId: null,
      status,
      version: 1,
      changedBy: documentId,
      rejectionReason: status === "REJECTED" ? "The photograph is not readable." : null,
      remindedVersion: 1,
      verifiedAt: status === "APPROVED" ? decidedAt : null,
      submittedAt,
      createdAt: submittedAt,
      updatedAt: decidedAt,
    });
  }
}
