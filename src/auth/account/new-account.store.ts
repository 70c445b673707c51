import { type SQL, sql } from "drizzle-orm";
import { wallets } from "../../db/ledger-schema.ts";
import { profiles, referrals, users } from "../../db/user-schema.ts";
import { CURRENCY } from "../../nepal.ts";
import { type AuditClient, recordSignInAudit } from "../../platform/data/audit.ts";
import { insertWhere } from "../../platform/data/database.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import { type BuilderDeps, jsonOf, type Value } from "../../platform/data/prepared.ts";
import type { Locale } from "../../platform/http/locale.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { userFields } from "../../users/user.store.ts";
import type { Username } from "../../users/username.ts";
import { isFormerIdentity } from "../deletion/former-identity.store.ts";
import { enterSignupBonus, insertPoints } from "./signup-bonus.store.ts";

export interface NewAccount {
  userId: string;
  /** The chosen username, or default candidates in order of preference. */
  usernames: Username[];
  /** Candidates in order of preference. */
  referralCodes: string[];
  /** As `isFormerIdentity` takes them. If one has left an account, the new account gets neither bonus nor referral. */
  identities: string[];
  /** Another user's referral code, as typed. */
  referredBy: string | undefined;
  locale: Locale;
}

/** A new account, or placeholders for its values. */
type AccountValues = { [K in keyof NewAccount]: Value<NewAccount[K]> };

/** How the account is created, and the data that comes with it. */
export interface AccountOrigin {
  socialProvider: (typeof users.$inferInsert)["socialProvider"];
  /** Canonical. */
  email: Value<string | null>;
  /** E.164. */
  phoneNumber: Value<string | null>;
  /** The member of staff who creates the account; absent if its owner does, who has verified the identifier. */
  createdBy?: AccessClaims;
  fullName?: string | null | undefined;
  /** `YYYY-MM-DD`. */
  dateOfBirth?: string | null | undefined;
  address?: string | null | undefined;
  profilePicture?: string | null;
  /** The profile's picture; by default the account's. */
  avatarUrl?: string | null | undefined;
  /** JSON text. */
  socialProfileData?: string;
  /** For the audit row. */
  isTestIdentifier?: boolean;
  sessionId: Value<string>;
}

/** `picked` of the first candidate whose `key` no row of `users` has in `column`; NULL if all are taken. */
function firstAvailable(candidates: Value<readonly unknown[]>, key: SQL, column: SQL, picked: SQL): SQL {
  return sql`(select ${picked} from json_each(${jsonOf(candidates)})
    where not exists (select 1 from users where ${column} = ${key}) order by json_each.key limit 1)`;
}

function availableUsername(account: Pick<AccountValues, "usernames">, field: "username" | "key"): SQL {
  const key = sql`json_extract(value, '$.key')`;
  return firstAvailable(account.usernames, key, sql.raw("username_key"), sql`json_extract(value, ${`$.${field}`})`);
}

/** One of the usernames is available. */
export function hasAvailableUsername(account: Pick<AccountValues, "usernames">): SQL {
  return sql`${availableUsername(account, "key")} is not null`;
}

/** The account exists. */
export function accountExists(account: Pick<AccountValues, "userId">): SQL {
  return sql`exists (select 1 from users where id = ${account.userId})`;
}

/**
 * Creates an account if `condition` holds: user, profile, wallet, points with the signup bonus, referral link, audit
 * row and event. Every way to register uses it. If staff create the account, the owner's first sign-in grants the
 * bonus.
 */
export function newAccount(
  deps: BuilderDeps,
  client: AuditClient,
  account: AccountValues,
  origin: AccountOrigin,
  condition: SQL,
) {
  const now = deps.now();
  const { userId } = account;
  const { createdBy } = origin;
  const isCreated = accountExists(account);
  const referralCode = firstAvailable(
    account.referralCodes,
    sql`json_each.value`,
    sql.raw("referral_code"),
    sql`value`,
  );
  const { bonusEntry, isEntered } = enterSignupBonus(deps, userId, account.identities, isCreated);
  return {
    newUser: insertWhere(
      deps,
      users,
      {
        id: userId,
        username: availableUsername(account, "username"),
        usernameKey: availableUsername(account, "key"),
        email: origin.email,
        phoneNumber: origin.phoneNumber,
        emailVerified: !createdBy && origin.email !== null,
        phoneVerified: !createdBy && origin.phoneNumber !== null,
        profilePicture: origin.profilePicture ?? null,
        referralCode,
        status: "ACTIVE",
        role: "user",
        socialProvider: origin.socialProvider,
        socialProfileData: origin.socialProfileData === undefined ? null : sql`${origin.socialProfileData}`,
        locale: account.locale,
        dateJoined: now,
        lastLogin: createdBy ? null : now,
        lastActivityAt: createdBy ? null : now,
        updatedAt: now,
        version: 1,
        kycStatus: "NOT_SUBMITTED",
        unreadNotifications: 0,
        notificationsReadThrough: null,
      },
      condition,
    ).returning(userFields),
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
      isCreated,
    ),
    newWallet: insertWhere(deps, wallets, { userId, balanceMinor: 0, currency: CURRENCY, updatedAt: now }, isCreated),
    // Staff verify no identifier, so the owner's first sign-in grants the bonus.
    bonusEntry: createdBy ? undefined : bonusEntry,
    newPoints: insertPoints(deps, userId, createdBy ? sql`false` : isEntered, isCreated),
    newReferral: insertWhere(
      deps,
      referrals,
      {
        inviteeId: userId,
        inviterId: sql`(select id from users where referral_code = ${account.referredBy ?? null})`,
        status: "PENDING",
        createdAt: now,
      },
      sql`${isCreated} and exists (select 1 from users where referral_code = ${account.referredBy ?? null} and id <> ${userId})
        and not ${isFormerIdentity(account.identities)}`,
    ).returning({ inviteeId: referrals.inviteeId }),
    newAccountAudit: recordSignInAudit(
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
        actorId: createdBy?.userId ?? userId,
        byStaff: createdBy !== undefined,
        sessionId: origin.sessionId,
      },
      isCreated,
    ),
    newAccountEvent: recordEvent(
      deps,
      {
        type: "user.created",
        userId,
        payload: sql`json_object('user_id', ${userId})`,
        queue: "tasks",
      },
      isCreated,
    ),
  };
}
