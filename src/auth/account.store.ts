import { and, eq, or, type SQL, sql } from "drizzle-orm";
import { points, pointTransactions, profiles, referrals, sessions, users, wallets } from "../db/schema.ts";
import { recordAudit } from "../platform/audit.ts";
import type { Client, Locale } from "../platform/client.ts";
import { inOneTrip, insertWhere } from "../platform/database.ts";
import type { Deps } from "../platform/deps.ts";
import { bindKey, findBinding, IDEMPOTENCY_TTL_MS, type IdempotentCall, isBound } from "../platform/idempotency.ts";
import { recordEvent } from "../platform/outbox.ts";
import { openSession } from "../sessions/session.store.ts";
import { type Identifier, isIdentifiedBy } from "../users/identifier.ts";
import { selectUser } from "../users/user.store.ts";
import type { Username } from "../users/username.ts";
import { findVerificationToken, isUsedHere, type TokenUse, useVerificationToken } from "./verification-token.store.ts";

/** Points that every new user gets, once. */
const SIGNUP_BONUS = 50;
const CURRENCY = "NPR";

type AccountDeps = Pick<Deps, "db" | "now" | "newId" | "attemptId" | "keyring" | "log">;

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

/** Everything a sign-in leaves behind, read in the same batch: the caller tells from it what happened. */
function readOutcome(deps: AccountDeps, use: TokenUse, call: IdempotentCall | undefined) {
  return {
    token: findVerificationToken(deps, use),
    user: selectUser(deps, isIdentifiedBy(use.identifier)),
    session: deps.db
      .select()
      .from(sessions)
      .where(
        eq(
          sessions.id,
          sql`(select session_id from verification_tokens where token_hash = ${use.tokenHash} and identifier = ${use.identifier.value})`,
        ),
      ),
    binding: findBinding(deps, call),
    referral: deps.db
      .select({ inviteeId: referrals.inviteeId })
      .from(referrals)
      .where(eq(referrals.inviteeId, sql`(select id from users where ${isIdentifiedBy(use.identifier)})`)),
  };
}

type Writes = ReturnType<typeof openSession>;

async function settle(deps: AccountDeps, use: TokenUse, call: IdempotentCall | undefined, writes: Writes) {
  const reads = readOutcome(deps, use, call);
  const found = await inOneTrip(deps, { ...writes, ...reads }).catch((error) =>
    // The batch may stand although its answer was lost: the token's marker tells.
    inOneTrip(deps, reads).then((again) => {
      if (again.token[0]?.usedBy !== deps.attemptId) throw error;
      return again;
    }),
  );
  return {
    token: found.token[0],
    user: found.user[0],
    session: found.session[0],
    binding: found.binding?.[0],
    hasReferral: found.referral.length > 0,
    /** Sessions that this sign-in has ended, for the denylist; unknown after a lost answer. */
    endedSessions: "endedSessions" in found ? found.endedSessions.map(({ id }) => id) : [],
  };
}

export type SignInOutcome = Awaited<ReturnType<typeof settle>>;

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
    profile: insertWhere(deps, profiles, { userId, id: deps.newId(), createdAt: now, updatedAt: now }, made),
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
      { id: use.sessionId, userId, identifier: identifier.value, method: methodOf(identifier) },
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
    event: recordEvent(deps, { type: "user.created", userId, payload: JSON.stringify({ user_id: userId }) }, made),
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

/** Credits the signup bonus once for each user, whoever asks and however often. */
function grantSignupBonus(deps: AccountDeps, userId: SQL, condition: SQL) {
  const id = deps.newId();
  return {
    bonusEntry: insertWhere(
      deps,
      pointTransactions,
      { id, userId, delta: SIGNUP_BONUS, reason: "signup_bonus", reference: "signup", createdAt: deps.now() },
      condition,
    ).onConflictDoNothing(),
    bonus: deps.db
      .update(points)
      .set({
        currentPoints: sql`${points.currentPoints} + ${SIGNUP_BONUS}`,
        totalPoints: sql`${points.totalPoints} + ${SIGNUP_BONUS}`,
        updatedAt: deps.now(),
      })
      .where(sql`${points.userId} = ${userId} and exists (select 1 from point_transactions where id = ${id})`),
  };
}

/**
 * Opens a session for the account, uses the verification token up and binds the idempotency key, in one transaction; an
 * account that slept becomes active, an unverified identifier verified. Nothing where the token is not live or the
 * account may not sign in.
 */
export function signIn(
  deps: AccountDeps,
  client: Client,
  use: TokenUse,
  call: IdempotentCall | undefined,
  isTest: boolean,
): Promise<SignInOutcome> {
  const now = deps.now();
  const { identifier } = use;
  const userId = sql`(select id from users where ${isIdentifiedBy(identifier)})`;
  const mayAct = or(
    eq(users.status, "ACTIVE"),
    and(eq(users.status, "INACTIVE"), eq(users.statusReason, "inactivity")),
  );
  const isAllowed = deps.db
    .select({ one: sql`1` })
    .from(users)
    .where(and(isIdentifiedBy(identifier), mayAct, isTest ? eq(users.role, "user") : undefined));
  const used = isUsedHere(deps, use);
  const verified = identifier.kind === "phone" ? users.phoneVerified : users.emailVerified;
  const changes = sql`${used} and exists (select 1 from users where ${isIdentifiedBy(identifier)} and (status <> 'ACTIVE' or not ${verified}))`;
  const state = sql`'status', status, 'email_verified', json(iif(email_verified, 'true', 'false')),
    'phone_verified', json(iif(phone_verified, 'true', 'false'))`;
  const writes = {
    used: useVerificationToken(deps, use, sql`exists ${isAllowed} and not ${isBound(deps, call)}`),
    changeEvent: recordEvent(
      deps,
      { type: "user.updated", userId, payload: sql`json_object('user_id', ${userId})` },
      changes,
    ),
    ...grantSignupBonus(deps, userId, changes),
    audit: recordAudit(
      deps,
      client,
      {
        userId,
        action: "LOGIN",
        entityType: "session",
        entityId: use.sessionId,
        // Old values stand only where the sign-in changes the account.
        oldValues: sql`(select json_object(${state}) from users where ${isIdentifiedBy(identifier)} and (status <> 'ACTIVE' or not ${verified}))`,
        newValues: sql`json_object('method', ${methodOf(identifier)}, 'test_identifier', json(${isTest ? "true" : "false"}))`,
        actorId: userId,
        sessionId: use.sessionId,
      },
      used,
    ),
    account: deps.db
      .update(users)
      .set({
        version: sql`${users.version} + (${users.status} <> 'ACTIVE' or not ${verified})`,
        status: "ACTIVE",
        statusReason: null,
        lastLogin: now,
        ...(identifier.kind === "phone" ? { phoneVerified: true } : { emailVerified: true }),
      })
      .where(and(isIdentifiedBy(identifier), used)),
    ...openSession(
      deps,
      client,
      { id: use.sessionId, userId, identifier: identifier.value, method: methodOf(identifier) },
      used,
    ),
    bind: bindSession(deps, call, use, used),
  };
  return settle(deps, use, call, writes);
}

function methodOf(identifier: Identifier): "OTP_PHONE" | "OTP_EMAIL" {
  return identifier.kind === "phone" ? "OTP_PHONE" : "OTP_EMAIL";
}

function bindSession(deps: AccountDeps, call: IdempotentCall | undefined, use: TokenUse, condition: SQL) {
  return bindKey(deps, call, { id: use.sessionId, expiresAt: deps.now() + IDEMPOTENCY_TTL_MS }, condition);
}
