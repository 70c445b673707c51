import { type SQL, sql } from "drizzle-orm";
import { points, wallets } from "../db/ledger-schema.ts";
import { profiles, referrals, users } from "../db/user-schema.ts";
import { recordAudit } from "../platform/audit.ts";
import type { Client, Locale } from "../platform/client.ts";
import { insertWhere } from "../platform/database.ts";
import { type IdempotentCall, isBound } from "../platform/idempotency.ts";
import { recordEvent } from "../platform/outbox.ts";
import { openSession } from "../sessions/session-open.store.ts";
import { isIdentifiedBy } from "../users/identifier.ts";
import type { Username } from "../users/username.ts";
import { adoptNetwork, isFamiliar } from "./otp-guard.store.ts";
import {
  type AccountDeps,
  bindSession,
  grantSignupBonus,
  methodOf,
  type SignInOutcome,
  settle,
  type Writes,
} from "./sign-in.store.ts";
import { isUsedHere, type TokenUse, useVerificationToken } from "./verification-token.store.ts";

const CURRENCY = "NPR";

export interface NewAccount {
  userId: string;
  /** The chosen username, or default ones to try in their order. */
  usernames: Username[];
  /** Referral codes to try in their order. */
  referralCodes: string[];
  /** Somebody else's code, as given. */
  referredBy: string | undefined;
  locale: Locale;
}

/** Takes the first of `candidates` that no row of `users` has in `column`; NULL when all are taken. */
function firstFree(candidates: readonly unknown[], key: SQL, column: SQL, picked: SQL): SQL {
  return sql`(select ${picked} from json_each(${JSON.stringify(candidates)})
    where not exists (select 1 from users where ${column} = ${key}) order by json_each.key limit 1)`;
}

/**
 * Makes user, profile, wallet, points with the signup bonus, referral link, session, audit row and events, uses the
 * verification token up and binds the idempotency key: all in one transaction, or nothing where the token is not live,
 * the identifier has an account, or the chosen username is taken.
 */
export function insertAccount(
  deps: AccountDeps,
  client: Client,
  use: TokenUse,
  account: NewAccount,
  call: IdempotentCall | undefined,
  isTest: boolean,
): Promise<SignInOutcome & { isUsernameTaken: boolean }> {
  const now = deps.now();
  const { identifier } = use;
  const party = { identifier: identifier.value, network: client.network };
  const { userId } = account;
  const isPhone = identifier.kind === "phone";
  const made = sql`exists (select 1 from users where id = ${userId})`;
  const nameColumn = sql.raw("username_key");
  const nameKey = sql`json_extract(value, '$.key')`;
  const freeName = (field: "username" | "key") =>
    firstFree(account.usernames, nameKey, nameColumn, sql`json_extract(value, ${`$.${field}`})`);
  const freeCode = firstFree(account.referralCodes, sql`json_each.value`, sql.raw("referral_code"), sql`value`);
  const isNew = sql`not exists (select 1 from users where ${isIdentifiedBy(identifier)})
    and ${freeName("key")} is not null and not ${isBound(deps, call)}`;
  const writes = {
    used: useVerificationToken(deps, use, isNew),
    newUser: insertWhere(
      deps,
      users,
      {
        id: userId,
        username: freeName("username"),
        usernameKey: freeName("key"),
        email: isPhone ? null : identifier.value,
        phoneNumber: isPhone ? identifier.value : null,
        emailVerified: !isPhone,
        phoneVerified: isPhone,
        referralCode: freeCode,
        status: "ACTIVE",
        role: "user",
        socialProvider: isPhone ? "PHONE" : "EMAIL",
        locale: account.locale,
        dateJoined: now,
        lastLogin: now,
        updatedAt: now,
        version: 1,
      },
      isUsedHere(deps, use),
    ),
    profile: insertWhere(
      deps,
      profiles,
      { userId, id: deps.newId(), profileReminders: 0, kycReminders: 0, createdAt: now, updatedAt: now },
      made,
    ),
    wallet: insertWhere(deps, wallets, { userId, balanceMinor: 0, currency: CURRENCY, updatedAt: now }, made),
    points: insertWhere(deps, points, { userId, currentPoints: 0, totalPoints: 0, updatedAt: now }, made),
    ...grantSignupBonus(deps, sql`${userId}`, made),
    newReferral: insertWhere(
      deps,
      referrals,
      {
        inviteeId: userId,
        inviterId: sql`(select id from users where referral_code = ${account.referredBy ?? null})`,
        status: "PENDING",
        createdAt: now,
      },
      sql`${made} and exists (select 1 from users where referral_code = ${account.referredBy ?? null} and id <> ${userId})`,
    ),
    ...openSession(
      deps,
      client,
      { id: use.sessionId, userId, isFromKnownNetwork: isFamiliar(party, now), method: methodOf(identifier) },
      made,
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
          'referred', exists (select 1 from referrals where invitee_id = ${userId}), 'test_identifier', json(${isTest ? "true" : "false"}))
          from users where id = ${userId})`,
        actorId: userId,
        sessionId: use.sessionId,
      },
      made,
    ),
    changeEvent: recordEvent(
      deps,
      { type: "user.created", userId, payload: JSON.stringify({ user_id: userId }), queue: "tasks" },
      made,
    ),
    ...adoptNetwork(deps, party, made),
    bind: bindSession(deps, call, use, made),
  };
  return settleWithUsername(deps, use, call, writes, account);
}

async function settleWithUsername(
  deps: AccountDeps,
  use: TokenUse,
  call: IdempotentCall | undefined,
  writes: Writes,
  account: NewAccount,
) {
  const outcome = await settle(deps, use, call, writes);
  const isUsernameTaken =
    outcome.token !== undefined &&
    outcome.token.usedBy === null &&
    outcome.user === undefined &&
    account.usernames.length === 1;
  return { ...outcome, isUsernameTaken };
}
