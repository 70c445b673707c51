import { and, eq, or, sql } from "drizzle-orm";
import { users } from "../db/user-schema.ts";
import { recordAudit } from "../platform/audit.ts";
import type { Client } from "../platform/client.ts";
import { type IdempotentCall, isBound } from "../platform/idempotency.ts";
import { recordEvent } from "../platform/outbox.ts";
import { openSession } from "../sessions/session-open.store.ts";
import { isIdentifiedBy } from "../users/identifier.ts";
import { adoptNetwork, isFamiliar } from "./otp-guard.store.ts";
import {
  type AccountDeps,
  bindSession,
  grantSignupBonus,
  methodOf,
  type SignInOutcome,
  settle,
} from "./sign-in.store.ts";
import { isUsedHere, type TokenUse, useVerificationToken } from "./verification-token.store.ts";

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
  const party = { identifier: identifier.value, network: client.network };
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
  const isAsleep = sql`${isIdentifiedBy(identifier)} and (status <> 'ACTIVE' or not ${verified})`;
  const changes = sql`${used} and exists (select 1 from users where ${isAsleep})`;
  const state = sql`'status', status, 'email_verified', json(iif(email_verified, 'true', 'false')),
    'phone_verified', json(iif(phone_verified, 'true', 'false'))`;
  const writes = {
    used: useVerificationToken(deps, use, sql`exists ${isAllowed} and not ${isBound(deps, call)}`),
    changeEvent: recordEvent(
      deps,
      { type: "user.updated", userId, payload: sql`json_object('user_id', ${userId})`, queue: "tasks" },
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
        oldValues: sql`(select json_object(${state}) from users where ${isAsleep})`,
        newValues: sql`json_patch(
          json_object('method', ${methodOf(identifier)}, 'test_identifier', json(${isTest ? "true" : "false"})),
          coalesce((select json_object('status', 'ACTIVE', ${verified.name}, json('true')) from users where ${isAsleep}), '{}'))`,
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
        updatedAt: sql`case when ${users.status} <> 'ACTIVE' or not ${verified} then ${now} else ${users.updatedAt} end`,
        ...(identifier.kind === "phone" ? { phoneVerified: true } : { emailVerified: true }),
      })
      .where(and(isIdentifiedBy(identifier), used)),
    ...openSession(
      deps,
      client,
      { id: use.sessionId, userId, isFromKnownNetwork: isFamiliar(party, now), method: methodOf(identifier) },
      used,
    ),
    ...adoptNetwork(deps, party, used),
    bind: bindSession(deps, call, use, used),
  };
  return settle(deps, use, call, writes);
}
