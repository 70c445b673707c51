import { type SQL, sql } from "drizzle-orm";
import { points, wallets } from "../../db/ledger-schema.ts";
import { profiles, referrals, users } from "../../db/user-schema.ts";
import { recordAudit } from "../../platform/data/audit.ts";
import { insertWhere } from "../../platform/data/database.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import { derived, type StatementDeps } from "../../platform/data/prepared.ts";
import type { Client } from "../../platform/http/client.ts";
import type { Locale } from "../../platform/http/locale.ts";
import { CURRENCY } from "../../platform/money.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import type { Username } from "../../users/username.ts";
import { isFormerIdentity } from "../deletion/former-identity.store.ts";
import { grantSignupBonus } from "./sign-in.store.ts";

export interface NewAccount {
  userId: string;
  /** The chosen username, or default ones to try in their order. */
  usernames: Username[];
  /** Referral codes to try in their order. */
  referralCodes: string[];
  /** As `hashIdentities` gives them: one that belonged to a deleted user earns no bonus and no referral. */
  identities: string[];
  /** Somebody else's code, as given. */
  referredBy: string | undefined;
  locale: Locale;
}

/** How the account comes to be, and what is known of its person by it. */
export interface AccountOrigin {
  socialProvider: (typeof users.$inferInsert)["socialProvider"];
  /** Canonical. */
  email: string | null;
  /** E.164. */
  phoneNumber: string | null;
  /** Absent where its person signs in now, and so has proved the identifier; else who made the account for them. */
  madeBy?: AccessClaims;
  fullName?: string | null | undefined;
  /** `YYYY-MM-DD`. */
  dateOfBirth?: string | null | undefined;
  address?: string | null | undefined;
  profilePicture?: string | null;
  /** The profile's own picture; by default the account's. */
  avatarUrl?: string | null | undefined;
  /** JSON text. */
  socialProfileData?: string;
  /** For the audit row. */
  isTestIdentifier?: boolean;
  sessionId: string;
}

/** Takes the first of `candidates` that no row of `users` has in `column`; NULL when all are taken. */
function firstFree(candidates: readonly unknown[], key: SQL, column: SQL, picked: SQL): SQL {
  return sql`(select ${picked} from json_each(${derived(candidates, JSON.stringify)})
    where not exists (select 1 from users where ${column} = ${key}) order by json_each.key limit 1)`;
}

function freeName(account: NewAccount, field: "username" | "key"): SQL {
  const key = sql`json_extract(value, '$.key')`;
  return firstFree(account.usernames, key, sql.raw("username_key"), sql`json_extract(value, ${`$.${field}`})`);
}

/** Holds where one of the usernames is free. */
export function hasFreeName(account: NewAccount): SQL {
  return sql`${freeName(account, "key")} is not null`;
}

/** Holds once the account has been made. */
export function isMade(account: NewAccount): SQL {
  return sql`exists (select 1 from users where id = ${account.userId})`;
}

/**
 * The statements that make an account where `condition` holds: user, profile, wallet, points with the signup bonus,
 * referral link, audit row and event. Every way to register makes it by these. The bonus of one that staff made comes with
 * its owner's first sign-in.
 */
export function newAccount(
  deps: StatementDeps,
  client: Client,
  account: NewAccount,
  origin: AccountOrigin,
  condition: SQL,
) {
  const now = deps.now();
  const { userId } = account;
  const { madeBy } = origin;
  const made = isMade(account);
  const freeCode = firstFree(account.referralCodes, sql`json_each.value`, sql.raw("referral_code"), sql`value`);
  return {
    newUser: insertWhere(
      deps,
      users,
      {
        id: userId,
        username: freeName(account, "username"),
        usernameKey: freeName(account, "key"),
        email: origin.email,
        phoneNumber: origin.phoneNumber,
        emailVerified: !madeBy && origin.email !== null,
        phoneVerified: !madeBy && origin.phoneNumber !== null,
        profilePicture: origin.profilePicture ?? null,
        referralCode: freeCode,
        status: "ACTIVE",
        role: "user",
        socialProvider: origin.socialProvider,
        socialProfileData: origin.socialProfileData === undefined ? null : sql`${origin.socialProfileData}`,
        locale: account.locale,
        dateJoined: now,
        lastLogin: madeBy ? null : now,
        updatedAt: now,
        version: 1,
        kycStatus: "NOT_SUBMITTED",
        unreadNotifications: 0,
      },
      condition,
    ),
    newProfile: insertWhere(
      deps,
      profiles,
      {
        userId,
        id: deps.newId(),
        fullName: origin.fullName ?? null,
        dateOfBirth: origin.dateOfBirth ?? null,
        address: origin.address ?? null,
        avatarUrl: origin.avatarUrl ?? origin.profilePicture ?? null,
        profileReminders: 0,
        kycReminders: 0,
        createdAt: now,
        updatedAt: now,
      },
      made,
    ),
    newWallet: insertWhere(deps, wallets, { userId, balanceMinor: 0, currency: CURRENCY, updatedAt: now }, made),
    newPoints: insertWhere(deps, points, { userId, currentPoints: 0, totalPoints: 0, updatedAt: now }, made),
    ...(madeBy ? {} : grantSignupBonus(deps, sql`${userId}`, account.identities, made)),
    newReferral: insertWhere(
      deps,
      referrals,
      {
        inviteeId: userId,
        inviterId: sql`(select id from users where referral_code = ${account.referredBy ?? null})`,
        status: "PENDING",
        createdAt: now,
      },
      sql`${made} and exists (select 1 from users where referral_code = ${account.referredBy ?? null} and id <> ${userId})
        and not ${isFormerIdentity(account.identities)}`,
    ),
    audit: recordAudit(
      deps,
      client,
      {
        userId,
        action: "CREATE",
        entityType: "user",
        entityId: userId,
        newValues: sql`(select json_object('username', username, 'social_provider', social_provider,
          'referred', exists (select 1 from referrals where invitee_id = ${userId}),
          'test_identifier', json(${origin.isTestIdentifier ? "true" : "false"}))
          from users where id = ${userId})`,
        actorId: madeBy?.userId ?? userId,
        byStaff: madeBy !== undefined,
        sessionId: origin.sessionId,
      },
      made,
    ),
    newAccountEvent: recordEvent(
      deps,
      {
        type: "user.created",
        userId,
        payload: derived(userId, (id) => JSON.stringify({ user_id: id })),
        queue: "tasks",
      },
      made,
    ),
  };
}
